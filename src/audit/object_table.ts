// The objects of a trace, folded from `create` and `destroy` effects: who made each, where, who owns it.
// Memory is bound to what lives: of the dead only the newest are kept, and per birthplace a count.

import { type CallPlan, type ObjectKind, OBJECTS, operandRefs, type Ref } from "../api/mod.ts";
import type { Site } from "../trace/mod.ts";
import type { CallView } from "./detector.ts";
import type { Evidence, Siblings } from "./finding.ts";
import { operandRef } from "./join.ts";
import { COLUMN, COLUMNS, type Counter, isAlive, KINDS, KindTable } from "./kind_table.ts";
import { ObjectRows } from "./object_rows.ts";
import { linksOf, Owned } from "./owned.ts";
import { Places } from "./places.ts";
import type { PlanShape } from "./plan_shape.ts";

/** An object, from its creation on. */
export interface Tracked {
  readonly ref: Ref;
  readonly side: string;
  /** Creating event, call and site. */
  readonly createdAt: number;
  readonly createdBy: Pick<CallPlan, "name">;
  readonly site: Site | null;
  readonly owner: Ref | null;
  /** The event that ended it, 0 while it lives. */
  readonly endedAt: number;
}

/** An object that ended. */
export type Ended = Pick<Tracked, "ref" | "endedAt">;

/** Kinds that end with an owner of a kind. */
const GOES_WITH: ReadonlyMap<ObjectKind, readonly ObjectKind[]> = new Map(
  KINDS.flatMap((owner) => {
    const kinds = owner === null ? [] : KINDS.flatMap((kind) => goesWith(kind, owner));
    return owner === null || kinds.length === 0 ? [] : [[owner, kinds] as const];
  }),
);

/** Owners are asked for those that go with them, and for the GPU's. */
function isListed(kind: ObjectKind): boolean {
  const { owners, ownerEnd, handles } = OBJECTS[kind];
  return owners.length > 0 && (ownerEnd === "released" || handles === "d3dkmt");
}

function goesWith(kind: ObjectKind | null, owner: ObjectKind): readonly ObjectKind[] {
  if (kind === null || OBJECTS[kind].ownerEnd !== "released") return [];
  const owners: readonly ObjectKind[] = OBJECTS[kind].owners;
  return owners.includes(owner) ? [kind] : [];
}

/** When an object ended, and whether by being released. */
interface HowEnded {
  readonly event: number;
  readonly isRelease: boolean;
}

/** The object table of one audit. */
export class ObjectTable {
  readonly #kinds: ReadonlyMap<ObjectKind, KindTable>;
  /** Kinds that any object was of, in the order first seen. */
  readonly #seen: ObjectKind[] = [];
  /** Where objects were made; those who keep more of objects number places by it too. */
  readonly places = new Places();
  /** Objects so far: the order in which they were made. */
  #order = 0;

  /** `counterOf`: what is told of objects of a kind that begin and end; null: nothing. */
  constructor(counterOf: (kind: ObjectKind) => Counter | null = () => null) {
    this.#kinds = tablesOf(this.places, counterOf);
  }

  /** The rows that this table has of objects of a kind: who keeps more of them takes columns there, before the first object. */
  rowsOf(kind: ObjectKind): Pick<ObjectRows, "share"> {
    return this.#tableOf(kind).rows;
  }

  /** What takes the object that a call of this shape makes, once it has succeeded. Most make one, and then nothing is made of it. */
  maker(shape: PlanShape): (call: CallView) => void {
    const [only] = shape.creates;
    if (only === undefined || shape.creates.length > 1) return (call) => void this.create(call);
    const { param: { kind, isArray }, subject: { from, index, member } } = only;
    if (kind === null || isArray || from !== "out" || member !== null) return (call) => void this.create(call);
    const table = this.#tableOf(kind);
    return (call) => {
      const number = call.madeNumberAt(index);
      if (number < 0 || table.liveRow(number) >= 0) return;
      this.#begin(call, table, { number, handle: call.madeHandleAt(index) }, NO_REFS);
    };
  }

  /** Takes what a call that succeeded created; what lives already (a resource that was added to) is not created again. */
  create(call: CallView): readonly Ref[] {
    const { creates } = call.shape;
    if (creates.length === 0) return NO_REFS;
    const [first] = creates;
    const single = first === undefined || creates.length > 1 ? null : operandRef(call, first.subject);
    if (single !== null) return this.#addUnlessLive(call, single, NO_REFS) ? [single] : NO_REFS;
    const made: Ref[] = [];
    for (const { subject } of creates) {
      const only = operandRef(call, subject);
      const refs = only !== null ? [only] : operandRefs(call, subject);
      for (const ref of refs) if (this.#addUnlessLive(call, ref, made)) made.push(ref);
    }
    return made;
  }

  /** Takes what a call that succeeded destroyed, with what its kinds' tables say goes along; returns all that ended. */
  destroy(call: CallView): readonly Ended[] {
    const { destroys } = call.shape;
    const [first] = destroys;
    if (first === undefined) return NONE;
    const single = destroys.length > 1 ? null : operandRef(call, first.subject);
    if (single !== null) return this.end(single, call.returnedAt);
    const ended: Ended[] = [];
    const how = { event: call.returnedAt, isRelease: true };
    for (const { subject } of destroys) {
      const only = operandRef(call, subject);
      if (only !== null) this.#end(only, how, ended);
      else for (const ref of operandRefs(call, subject)) this.#end(ref, how, ended);
    }
    return ended;
  }

  /** Ends one object and what is released with it. */
  end(ref: Ref, event: number): readonly Ended[] {
    const how = { event, isRelease: true };
    // Mostly nothing goes along.
    if (!this.#hasChildren(ref)) {
      const own = this.#endOne(ref, how, null);
      return own === null ? NONE : [own];
    }
    const ended: Ended[] = [];
    this.#end(ref, how, ended);
    return ended;
  }

  /** Ends the GPU objects of a process that died: nobody released them. */
  endProcess(side: string, event: number): readonly Ended[] {
    const ended: Ended[] = [];
    for (const kind of this.kinds()) {
      if (OBJECTS[kind].handles !== "d3dkmt") continue;
      const own = [...this.all(kind)].filter((object) => object.side === side);
      for (const { ref } of own) this.#end(ref, { event, isRelease: false }, ended);
    }
    return ended;
  }

  /** Whether an object lives, and nothing would go along with it. */
  isAlone(kind: ObjectKind, number: number): boolean {
    return this.#tableOf(kind).liveRow(number) >= 0 && !this.#hasChildren({ kind, number });
  }

  /** Ends such an object. */
  endAlone(kind: ObjectKind, number: number, event: number): void {
    const table = this.#tableOf(kind);
    const row = table.liveRow(number);
    if (row < 0) return;
    const own = table.end(number, row, event);
    table.leave(number, row);
    table.release(own, row);
  }

  /** The object, alive or among the newest dead. */
  find({ kind, number }: Ref): Tracked | undefined {
    const table = this.#tableOf(kind);
    const row = table.rows.find(number);
    return row < 0 || table.rows.cells[row + COLUMN.createdAt] === 0 ? undefined : tracked(table, number, row);
  }

  /** The object if it lives. */
  live({ kind, number }: Ref): Tracked | undefined {
    const table = this.#tableOf(kind);
    const row = table.liveRow(number);
    return row < 0 ? undefined : tracked(table, number, row);
  }

  /** Whether the object lives. */
  isLive(kind: ObjectKind, number: number): boolean {
    return this.#tableOf(kind).liveRow(number) >= 0;
  }

  /** Whose a live object is; undefined where none of this name lives. */
  sideOf(kind: ObjectKind, number: number): string | undefined {
    const table = this.#tableOf(kind);
    const row = table.liveRow(number);
    return row < 0 ? undefined : table.placeOf(row).side;
  }

  /** Live objects of a kind, oldest first. */
  *all(kind: ObjectKind): IterableIterator<Tracked> {
    const table = this.#tableOf(kind);
    const { cells } = table.rows;
    const live = table.rows.numbers().map((number) => ({ number, row: table.liveRow(number) }));
    const ordered = live.filter(({ row }) => row >= 0).sort((left, right) =>
      orderAt(cells, left) - orderAt(cells, right)
    );
    const objects = ordered.map(({ number, row }) => tracked(table, number, row));
    yield* objects;
  }

  /** How many objects of a kind live. */
  count(kind: ObjectKind): number {
    return this.#tableOf(kind).live;
  }

  /** Kinds that any object was of, in the order first seen. */
  kinds(): readonly ObjectKind[] {
    return [...this.#seen];
  }

  /** Live objects that an object owns, oldest first: those that end with it, and objects of the GPU. */
  childrenOf({ ref }: { readonly ref: Ref }): readonly Tracked[] {
    const children: { readonly object: Tracked; readonly order: number }[] = [];
    for (const table of this.#kinds.values()) {
      for (const number of table.ownedBy(ref)) {
        const row = table.liveRow(number);
        if (row < 0) continue;
        children.push({ object: tracked(table, number, row), order: orderAt(table.rows.cells, { row }) });
      }
    }
    return children.sort((left, right) => left.order - right.order).map(({ object }) => object);
  }

  /** What became of the others created by the same call at the same site. */
  siblingsOf({ ref, createdBy, site }: Tracked): Siblings {
    return this.#tableOf(ref.kind).siblings(createdBy.name, site);
  }

  /** Whether it did not live; `made` was made by the same call before. */
  #addUnlessLive(call: CallView, ref: Ref, made: readonly Ref[]): boolean {
    const table = this.#tableOf(ref.kind);
    if (table.liveRow(ref.number) >= 0) return false;
    this.#begin(call, table, ref, made);
    return true;
  }

  #begin(call: CallView, table: KindTable, ref: Pick<Ref, "number" | "handle">, madeWithIt: readonly Ref[]): void {
    if (table.begun === 0) this.#seen.push(table.kind);
    this.#order += 1;
    table.begin(call, ref, { order: this.#order, madeWithIt });
  }

  #tableOf(kind: ObjectKind): KindTable {
    const table = this.#kinds.get(kind);
    if (table === undefined) throw new Error(`there is no kind ${kind}`);
    return table;
  }

  /** Ends what goes along first, then the object: `ended` takes them in that order. Of one from before the trace what goes along. */
  #end(ref: Ref, how: HowEnded, ended: Ended[]): void {
    const own = this.#endOne(ref, how, this.#hasChildren(ref) ? ended : null);
    if (own !== null) ended.push(own);
    else this.#endChildren(ref, how, ended);
  }

  /** Whether something lives that goes along with an object. */
  #hasChildren({ kind, number }: Pick<Ref, "kind" | "number">): boolean {
    for (const owned of GOES_WITH.get(kind) ?? NO_KINDS) {
      if (this.#tableOf(owned).isOwning({ kind, number })) return true;
    }
    return false;
  }

  /** Ends an object; null: it does not live. What goes along ends when it is dead already; `along` takes it, null: there is nothing. */
  #endOne({ kind, number }: Ref, { event, isRelease }: HowEnded, along: Ended[] | null): Ended | null {
    const table = this.#tableOf(kind);
    const row = table.liveRow(number);
    if (row < 0) return null;
    const own = table.end(number, row, event);
    if (along !== null) this.#endChildren(own, { event, isRelease }, along);
    table.leave(number, row);
    if (isRelease) table.release(own, row);
    return { ref: own, endedAt: event };
  }

  #endChildren(ref: Ref, how: HowEnded, ended: Ended[]): void {
    for (const child of this.childrenOf({ ref })) {
      if (this.#tableOf(child.ref.kind).goesWithOwner) this.#end(child.ref, how, ended);
    }
  }
}

/** A table for each kind; what they keep of each other stands in their rows. */
function tablesOf(
  places: Places,
  counterOf: (kind: ObjectKind) => Counter | null,
): ReadonlyMap<ObjectKind, KindTable> {
  const kinds = KINDS.filter((kind) => kind !== null);
  const rows = new Map(kinds.map((kind) => [kind, new ObjectRows(COLUMNS, isAlive)]));
  const rowsOf = (kind: ObjectKind): ObjectRows => rows.get(kind) ?? new ObjectRows(COLUMNS, isAlive);
  return new Map(kinds.map((kind) => {
    const links = isListed(kind) ? linksOf(rowsOf(kind)) : null;
    const declared: readonly ObjectKind[] = OBJECTS[kind].owners;
    const owners = declared.map((owner) => ({
      kind: owner,
      number: KINDS.indexOf(owner),
      rows: rowsOf(owner),
      owned: links === null ? null : new Owned(rowsOf(owner), links),
    }));
    return [kind, new KindTable({ kind, rows: rowsOf(kind), owners, places, counter: counterOf(kind) })];
  }));
}

function tracked(table: KindTable, number: number, row: number): Tracked {
  const { kind, rows: { cells } } = table;
  const { call, site, side } = table.placeOf(row);
  return {
    ref: { kind, number, handle: cells[row + COLUMN.handle] ?? 0 },
    side,
    createdAt: cells[row + COLUMN.createdAt] ?? 0,
    createdBy: { name: call },
    site,
    owner: table.ownerOf(row),
    endedAt: cells[row + COLUMN.endedAt] ?? 0,
  };
}

function orderAt(cells: Float64Array, { row }: { readonly row: number }): number {
  return cells[row + COLUMN.order] ?? 0;
}

const NONE: readonly Ended[] = [];
const NO_REFS: readonly Ref[] = [];
const NO_KINDS: readonly ObjectKind[] = [];

/** Evidence of an object's creation. */
export function creationOf({ createdAt, createdBy, site, side }: Tracked, role = "created"): Evidence {
  return { event: createdAt, role, site, call: createdBy.name, side };
}
