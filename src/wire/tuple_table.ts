// Gives every different tuple of numbers an index, in order of first sight: an open-addressing hash table over typed
// arrays. It must not know what the numbers mean. `intern` must not allocate but to grow.

import { NumberColumn } from "./number_column.ts";

const FIRST_SLOTS = 256;

/** Tuples of `arity` numbers of 32 bits, each once. */
export class TupleTable {
  readonly arity: number;
  #rows: Uint32Array;
  /** Index + 1 of the tuple there, 0: free. */
  #slots = new Uint32Array(FIRST_SLOTS);
  #size = 0;

  constructor(arity: number) {
    this.arity = arity;
    this.#rows = new Uint32Array(arity * 64);
  }

  /** How many different tuples there are; grows by one when `intern` sees a new one. */
  get size(): number {
    return this.#size;
  }

  /** The tuple's index; a tuple not seen before gets the next. Only the first `arity` numbers count. */
  intern(tuple: Uint32Array): number {
    const mask = this.#slots.length - 1;
    let slot = hashOf(tuple, this.arity) & mask;
    for (let taken = this.#slots[slot] ?? 0; taken !== 0; taken = this.#slots[slot] ?? 0) {
      if (this.#equals(taken - 1, tuple)) return taken - 1;
      slot = (slot + 1) & mask;
    }
    return this.#add(tuple, slot);
  }

  /** Fills a column with one member of every tuple, in order of index. */
  copyMember(member: number, column: NumberColumn): void {
    for (let index = 0; index < this.#size; index += 1) column.push(this.#rows[index * this.arity + member] ?? 0);
  }

  /** One member of a tuple. */
  member(index: number, member: number): number {
    return this.#rows[index * this.arity + member] ?? 0;
  }

  /** Forgets the tuples, keeps the buffers. */
  clear(): void {
    this.#slots.fill(0);
    this.#size = 0;
  }

  #equals(index: number, tuple: Uint32Array): boolean {
    const start = index * this.arity;
    for (let member = 0; member < this.arity; member += 1) {
      if (this.#rows[start + member] !== tuple[member]) return false;
    }
    return true;
  }

  #add(tuple: Uint32Array, slot: number): number {
    const start = this.#size * this.arity;
    if (start + this.arity > this.#rows.length) {
      const rows = new Uint32Array(2 * this.#rows.length);
      rows.set(this.#rows);
      this.#rows = rows;
    }
    for (let member = 0; member < this.arity; member += 1) this.#rows[start + member] = tuple[member] ?? 0;
    this.#slots[slot] = this.#size + 1;
    this.#size += 1;
    if (2 * this.#size > this.#slots.length) this.#rehash();
    return this.#size - 1;
  }

  #rehash(): void {
    const slots = new Uint32Array(2 * this.#slots.length);
    const mask = slots.length - 1;
    for (let index = 0; index < this.#size; index += 1) {
      const start = index * this.arity;
      let slot = hashOf(this.#rows.subarray(start, start + this.arity), this.arity) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = index + 1;
    }
    this.#slots = slots;
  }
}

function hashOf(tuple: Uint32Array, arity: number): number {
  let hash = 0;
  for (let member = 0; member < arity; member += 1) {
    hash = Math.imul(hash ^ (tuple[member] ?? 0), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash >>> 0;
}
