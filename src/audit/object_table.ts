// The objects of a trace, folded from `create` and `destroy` effects: who made each, where, who owns it.
// Memory is bound to what lives: of the dead only the newest are kept, and per birthplace a count.

import { type CallPlan, type ObjectKind, objectKind, OBJECTS, operandRefs, type Ref } from "../api/mod.ts";
import { Grouped } from "./grouped.ts";
import { operandRef } from "./join.ts";
import type { Site } from "../trace/mod.ts";
import type { CallView } from "./detector.ts";
import type { Evidence, Siblings } from "./finding.ts";
import { ObjectRows } from "./object_rows.ts";
import { type Place, Places } from "./places.ts";

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

interface Birthplace {
  created: number;
  released: number;
  example: Siblings["example"];
}

/** What is kept of an object, by column; `place` is its place's number and, below it, its owner's kind, 0 for none. */
const COLUMN = { handle: 0, createdAt: 1, endedAt: 2, place: 3, owner: 4, ownerHandle: 5, order: 6 } as const;
const COLUMNS = Object.keys(COLUMN).length;
/** Numbers of kinds below a place's number. */
const KINDS_ROOM = 256;

function isAlive(cells: Float64Array, row: number): boolean {
  return cells[row + COLUMN.endedAt] === 0;
}

/** Kinds by the numbers that rows hold; 0 stands for none. */
const KINDS: readonly (ObjectKind | null)[] = [null, ...Object.keys(OBJECTS).map(objectKind)];
const KIND_NUMBERS: ReadonlyMap<ObjectKind | null, number> = new Map(KINDS.map((kind, number) => [kind, number]));

/** Kinds that end with an owner of a kind. */
const GOES_WITH: ReadonlyMap<ObjectKind, readonly ObjectKind[]> = new Map(
  KINDS.flatMap((owner) => {
    const kinds = owner === null ? [] : KINDS.flatMap((kind) => goesWith(kind, owner));
    return owner === null || kinds.length === 0 ? [] : [[owner, kinds] as const];
  }),
);

function goesWith(kind: ObjectKind | null, owner: ObjectKind): readonly ObjectKind[] {
  if (kind === null || OBJECTS[kind].ownerEnd !== "released") return [];
  const owners: readonly ObjectKind[] = OBJECTS[kind].owners;
  return owners.includes(owner) ? [kind] : [];
}

/** All objects of a kind, as numbers: a live object is no thing for the garbage collector, and lies in one place. */
class KindTable {
  readonly kind: ObjectKind;
  readonly owners: readonly ObjectKind[];
  /** They end with their owner. */
  readonly goesWithOwner: boolean;
  /** Owners are asked for them: those that go with their owner, and the GPU's. */
  readonly isListed: boolean;
  /** Live ones, and the newest dead. */
  readonly rows = new ObjectRows(COLUMNS, isAlive);
  /** How many live. */
  live = 0;
  readonly birthplaces = new Birthplaces();
  /** Live ones by their owner's number, for each kind of owner. */
  readonly byOwner: ReadonlyMap<ObjectKind, Grouped<number>>;

  constructor(kind: ObjectKind) {
    const { owners, ownerEnd, handles } = OBJECTS[kind];
    this.kind = kind;
    this.owners = owners;
    this.goesWithOwner = ownerEnd === "released";
    this.isListed = this.goesWithOwner || handles === "d3dkmt";
    this.byOwner = new Map(owners.map((owner) => [owner, new Grouped<number>()]));
  }
}

/** When an object ended, and whether by being released. */
interface HowEnded {
  readonly event: number;
  readonly isRelease: boolean;
}

/** The object table of one audit. */
export class ObjectTable {
  readonly #kinds = new Map<ObjectKind, KindTable>();
  readonly #places = new Places();
  /** Objects so far: the order in which they were made. */
  #order = 0;

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
    // Of most kinds nothing goes along.
    if (!GOES_WITH.has(ref.kind)) {
      const own = this.#endOne(ref, how);
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

  /** The object, alive or among the newest dead. */
  find({ kind, number }: Ref): Tracked | undefined {
    const table = this.#kinds.get(kind);
    return table === undefined ? undefined : this.#tracked(table, number, table.rows.find(number));
  }

  /** The object if it lives. */
  live({ kind, number }: Ref): Tracked | undefined {
    const table = this.#kinds.get(kind);
    return table === undefined ? undefined : this.#tracked(table, number, liveRow(table, number));
  }

  /** Whether the object lives. */
  isLive(kind: ObjectKind, number: number): boolean {
    const table = this.#kinds.get(kind);
    return table !== undefined && liveRow(table, number) >= 0;
  }

  /** Whose a live object is; undefined where none of this name lives. */
  sideOf(kind: ObjectKind, number: number): string | undefined {
    const table = this.#kinds.get(kind);
    const row = table === undefined ? -1 : liveRow(table, number);
    return table === undefined || row < 0 ? undefined : this.#placeAt(table.rows.cells, row).side;
  }

  /** Live objects of a kind, oldest first. */
  *all(kind: ObjectKind): IterableIterator<Tracked> {
    const table = this.#kinds.get(kind);
    if (table === undefined) return;
    const { cells } = table.rows;
    const live = table.rows.numbers().map((number) => ({ number, row: liveRow(table, number) }));
    const ordered = live.filter(({ row }) => row >= 0).sort((left, right) =>
      orderAt(cells, left) - orderAt(cells, right)
    );
    const objects = ordered.flatMap(({ number, row }) => this.#tracked(table, number, row) ?? []);
    yield* objects;
  }

  /** How many objects of a kind live. */
  count(kind: ObjectKind): number {
    return this.#kinds.get(kind)?.live ?? 0;
  }

  /** Kinds that any object was of, in the order first seen. */
  kinds(): readonly ObjectKind[] {
    return [...this.#kinds.keys()];
  }

  /** Live objects that an object owns, oldest first: those that end with it, and objects of the GPU. */
  childrenOf({ ref }: { readonly ref: Ref }): readonly Tracked[] {
    const children: { readonly object: Tracked; readonly order: number }[] = [];
    for (const table of this.#kinds.values()) {
      for (const number of table.byOwner.get(ref.kind)?.of(ref.number) ?? []) {
        const row = liveRow(table, number);
        const object = this.#tracked(table, number, row);
        if (object !== undefined) children.push({ object, order: orderAt(table.rows.cells, { row }) });
      }
    }
    return children.sort((left, right) => left.order - right.order).map(({ object }) => object);
  }

  /** What became of the others created by the same call at the same site. */
  siblingsOf({ ref, createdBy, site }: Tracked): Siblings {
    const { birthplaces } = this.#tableOf(ref.kind);
    const { created, released, example } = birthplaces.find(createdBy.name, site) ?? newBirthplace();
    return { created, released, example };
  }

  /** Whether it did not live; `made` was made by the same call before. */
  #addUnlessLive(call: CallView, ref: Ref, made: readonly Ref[]): boolean {
    const table = this.#tableOf(ref.kind);
    if (liveRow(table, ref.number) >= 0) return false;
    const { rows, birthplaces } = table;
    const owner = table.owners.length === 0 ? null : this.#ownerOf(call, table, made);
    const place = this.#places.numberIn(call.plan.name, call.site, call.side);
    birthplaces.of(place, this.#places).created += 1;
    const row = rows.add(ref.number);
    const { cells } = rows;
    table.live += 1;
    this.#order += 1;
    cells[row + COLUMN.handle] = ref.handle;
    cells[row + COLUMN.createdAt] = call.event;
    cells[row + COLUMN.endedAt] = 0;
    cells[row + COLUMN.place] = place * KINDS_ROOM + (owner === null ? 0 : KIND_NUMBERS.get(owner.kind) ?? 0);
    cells[row + COLUMN.owner] = owner === null ? 0 : owner.number;
    cells[row + COLUMN.ownerHandle] = owner === null ? 0 : owner.handle;
    cells[row + COLUMN.order] = this.#order;
    if (owner !== null && table.isListed) table.byOwner.get(owner.kind)?.add(owner.number, ref.number);
    return true;
  }

  #tableOf(kind: ObjectKind): KindTable {
    const known = this.#kinds.get(kind);
    if (known !== undefined) return known;
    const made = new KindTable(kind);
    this.#kinds.set(kind, made);
    return made;
  }

  /** The owner's name as it was created. */
  #ownerOf(call: CallView, { owners }: KindTable, madeWithIt: readonly Ref[]): Ref | null {
    for (const kind of owners) {
      for (const made of madeWithIt) if (made.kind === kind) return made;
      const named = call.object(kind);
      if (named === null) continue;
      const table = this.#kinds.get(kind);
      // One from before the trace is an owner too: what it takes along ends with it.
      if (table === undefined || table.rows.find(named.number) < 0) return named;
      const row = liveRow(table, named.number);
      if (row < 0) continue;
      const handle = table.rows.cells[row + COLUMN.handle] ?? 0;
      return handle === named.handle ? named : { kind, number: named.number, handle };
    }
    return null;
  }

  /** Ends what goes along first, then the object: `ended` takes them in that order. Of one from before the trace what goes along. */
  #end(ref: Ref, how: HowEnded, ended: Ended[]): void {
    const own = this.#endOne(ref, how, (object) => this.#endChildren(object, how, ended));
    if (own !== null) ended.push(own);
    else this.#endChildren(ref, how, ended);
  }

  /** Ends an object; null: it does not live. It is dead already while `along` ends what goes along. */
  #endOne({ kind, number }: Ref, { event, isRelease }: HowEnded, along?: (object: Ref) => void): Ended | null {
    const table = this.#kinds.get(kind);
    const row = table === undefined ? -1 : liveRow(table, number);
    if (table === undefined || row < 0) return null;
    const { cells } = table.rows;
    cells[row + COLUMN.endedAt] = event;
    const place = cells[row + COLUMN.place] ?? 0;
    const owner = cells[row + COLUMN.owner] ?? 0;
    const own = { kind, number, handle: cells[row + COLUMN.handle] ?? 0 };
    table.live -= 1;
    table.rows.settle(number);
    along?.(own);
    const ownerKind = table.isListed ? KINDS[place % KINDS_ROOM] ?? null : null;
    if (ownerKind !== null) table.byOwner.get(ownerKind)?.delete(owner, number);
    if (isRelease) {
      const birthplace = table.birthplaces.of(Math.floor(place / KINDS_ROOM), this.#places);
      birthplace.released += 1;
      birthplace.example ??= { object: own, event };
    }
    return { ref: own, endedAt: event };
  }

  #endChildren(ref: Ref, how: HowEnded, ended: Ended[]): void {
    for (const kind of GOES_WITH.get(ref.kind) ?? []) {
      if (this.#kinds.get(kind)?.byOwner.get(ref.kind)?.has(ref.number) !== true) continue;
      for (const child of this.childrenOf({ ref })) {
        if (this.#tableOf(child.ref.kind).goesWithOwner) this.#end(child.ref, how, ended);
      }
      return;
    }
  }

  #tracked({ kind, rows: { cells } }: KindTable, number: number, row: number): Tracked | undefined {
    if (row < 0) return undefined;
    const { call, site, side } = this.#placeAt(cells, row);
    const ownerKind = KINDS[(cells[row + COLUMN.place] ?? 0) % KINDS_ROOM] ?? null;
    const owner = { number: cells[row + COLUMN.owner] ?? 0, handle: cells[row + COLUMN.ownerHandle] ?? 0 };
    return {
      ref: { kind, number, handle: cells[row + COLUMN.handle] ?? 0 },
      side,
      createdAt: cells[row + COLUMN.createdAt] ?? 0,
      createdBy: { name: call },
      site,
      owner: ownerKind === null ? null : { kind: ownerKind, ...owner },
      endedAt: cells[row + COLUMN.endedAt] ?? 0,
    };
  }

  #placeAt(cells: Float64Array, row: number): Place {
    return this.#places.at(Math.floor((cells[row + COLUMN.place] ?? 0) / KINDS_ROOM));
  }
}

/** The row of a live object, -1: none of this number lives. */
function liveRow({ rows }: KindTable, number: number): number {
  const row = rows.find(number);
  return row >= 0 && isAlive(rows.cells, row) ? row : -1;
}

function orderAt(cells: Float64Array, { row }: { readonly row: number }): number {
  return cells[row + COLUMN.order] ?? 0;
}

const NONE: readonly Ended[] = [];
const NO_REFS: readonly Ref[] = [];

/** What became of the objects of one kind made by the same call at the same site. */
class Birthplaces {
  readonly #byText = new Map<string, Birthplace>();
  /** By the number of the place. */
  readonly #byPlace: Birthplace[] = [];

  /** The birthplace at a place. */
  of(place: number, places: Places): Birthplace {
    const known = this.#byPlace[place];
    if (known !== undefined) return known;
    const { call, site } = places.at(place);
    const found = this.find(call, site) ?? newBirthplace();
    this.#byText.set(textOf(call, site), found);
    this.#byPlace[place] = found;
    return found;
  }

  /** The birthplace of a call at a site, undefined: nothing was made there. */
  find(call: string, site: Site | null): Birthplace | undefined {
    return this.#byText.get(textOf(call, site));
  }
}

function textOf(call: string, site: Site | null): string {
  return site === null ? call : `${call}\n${site.file}:${site.line}:${site.column}`;
}

function newBirthplace(): Birthplace {
  return { created: 0, released: 0, example: null };
}

/** Evidence of an object's creation. */
export function creationOf({ createdAt, createdBy, site, side }: Tracked, role = "created"): Evidence {
  return { event: createdAt, role, site, call: createdBy.name, side };
}
