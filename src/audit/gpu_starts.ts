// Where an allocation is mapped on one GPU, in the order of mapping: a list of numbers, so that noting and forgetting a place
// allocates nothing and looks nothing up. It must not know what is mapped there.

import { NumberMap } from "./number_map.ts";

/** Cells of a node: its first page; then, as halves of cells, the nodes before and behind it, and its range's row. */
const NODE = 4;
const [BEFORE, BEHIND, ROW] = [2, 3, 4];
/** No node, and no row. */
export const NOTHING = -1;

interface Places {
  first: number;
  last: number;
  /** Nodes of pieces of a page table, by their first page: whoever changes one of these does not know its node. */
  named: Map<number, number> | null;
}

/** Places by allocation. */
export class Starts {
  readonly #lists = new NumberMap<Places>();
  #cells = new Float64Array(16 * NODE);
  /** The same bytes. */
  #halves = new Int32Array(this.#cells.buffer);
  #nodesMade = 0;
  readonly #idle: number[] = [];

  /** Adds the place of a range that has one mapping for all of it; returns its node, which the range keeps. */
  add(allocation: number, start: number, row: number): number {
    const node = this.#idle.pop() ?? this.#nodesMade++;
    if (this.#cells.length < this.#nodesMade * NODE) this.#grow();
    let list = this.#lists.get(allocation);
    if (list === undefined) {
      list = { first: node, last: NOTHING, named: null };
      this.#lists.set(allocation, list);
    }
    const { last } = list;
    this.#cells[node * NODE] = start;
    this.#put(node, BEFORE, last);
    this.#put(node, BEHIND, NOTHING);
    this.#put(node, ROW, row);
    if (last !== NOTHING) this.#put(last, BEHIND, node);
    list.last = node;
    return node;
  }

  /** Takes a range's place out. */
  take(allocation: number, node: number): void {
    const list = this.#lists.get(allocation);
    if (list === undefined) return;
    const [before, behind] = [this.#half(node, BEFORE), this.#half(node, BEHIND)];
    if (before === NOTHING) list.first = behind;
    else this.#put(before, BEHIND, behind);
    if (behind === NOTHING) list.last = before;
    else this.#put(behind, BEFORE, before);
    this.#idle.push(node);
    if (list.first === NOTHING) this.#lists.delete(allocation);
  }

  /** A range's mapping goes to the page table: it keeps its place in the order, by its first page now. */
  name(allocation: number, node: number): void {
    const list = this.#lists.get(allocation);
    if (list === undefined) return;
    list.named ??= new Map();
    list.named.set(this.start(node), node);
    this.#put(node, ROW, NOTHING);
  }

  /** Notes where a piece of a page table starts. */
  note(allocation: number, start: number): void {
    if (this.#lists.get(allocation)?.named?.has(start) === true) return;
    this.name(allocation, this.add(allocation, start, NOTHING));
  }

  /** Forgets where a piece started. */
  forget(allocation: number, start: number): void {
    const named = this.#lists.get(allocation)?.named;
    const node = named?.get(start);
    if (node === undefined) return;
    named?.delete(start);
    this.take(allocation, node);
  }

  /** The first node of an allocation, in the order of mapping. */
  first(allocation: number): number {
    return this.#lists.get(allocation)?.first ?? NOTHING;
  }

  /** The node behind one. */
  behind(node: number): number {
    return this.#half(node, BEHIND);
  }

  /** Where a node's place starts. */
  start(node: number): number {
    return this.#cells[node * NODE] ?? 0;
  }

  /** The row of a node's range; -1: it is a piece of a page table. */
  row(node: number): number {
    return this.#half(node, ROW);
  }

  /** All nodes of an allocation, in the order of mapping. */
  nodesOf(allocation: number): number[] {
    const nodes: number[] = [];
    for (let node = this.first(allocation); node !== NOTHING; node = this.behind(node)) nodes.push(node);
    return nodes;
  }

  #half(node: number, half: number): number {
    return this.#halves[2 * node * NODE + half] ?? NOTHING;
  }

  #put(node: number, half: number, value: number): void {
    this.#halves[2 * node * NODE + half] = value;
  }

  #grow(): void {
    const cells = new Float64Array(2 * this.#cells.length);
    cells.set(this.#cells);
    this.#cells = cells;
    this.#halves = new Int32Array(cells.buffer);
  }
}
