// The objects of a trace, folded from `create` and `destroy` effects: who made each, where, who owns it.
// Memory is bound to what lives: of the dead only the newest are kept, and per birthplace a count.

import { type CallPlan, type ObjectKind, objectKind, OBJECTS, operandRefs, type Ref } from "../api/mod.ts";
import { Grouped } from "./grouped.ts";
import { operandRef } from "./join.ts";
import type { Site } from "../trace/mod.ts";
import type { CallView } from "./detector.ts";
import type { Evidence, Siblings } from "./finding.ts";
import { LiveRows, NewestRows, type Rows } from "./newest_rows.ts";
import { Places } from "./places.ts";

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

/** What is kept of an object, by column; an owner's kind by its number, 0 for none. */
const COLUMN = {
  handle: 0,
  createdAt: 1,
  place: 2,
  endedAt: 3,
  ownerKind: 4,
  owner: 5,
  ownerHandle: 6,
  birthplace: 7,
  order: 8,
} as const;
const COLUMNS = Object.keys(COLUMN).length;

/** Kinds by the numbers that rows hold; 0 stands for none. */
const KINDS: readonly (ObjectKind | null)[] = [null, ...Object.keys(OBJECTS).map(objectKind)];
const KIND_NUMBERS: ReadonlyMap<ObjectKind | null, number> = new Map(KINDS.map((kind, number) => [kind, number]));

/** Kinds that end with an owner of a kind. */
const GOES_WITH: ReadonlyMap<ObjectKind, readonly ObjectKind[]> = new Map(
  KINDS.flatMap((owner) => owner === null ? [] : [[owner, KINDS.flatMap((kind) => goesWith(kind, owner))] as const]),
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
  readonly live = new LiveRows(COLUMNS);
  /** The newest dead. */
  readonly dead = new NewestRows(COLUMNS);
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
    const made: Ref[] = [];
    for (const { subject } of creates) {
      const only = operandRef(call, subject);
      if (only !== null) this.#addUnlessLive(call, only, made);
      else for (const ref of operandRefs(call, subject)) this.#addUnlessLive(call, ref, made);
    }
    return made;
  }

  /** Takes what a call that succeeded destroyed, with what its kinds' tables say goes along; returns all that ended. */
  destroy(call: CallView): readonly Ended[] {
    const { destroys } = call.shape;
    if (destroys.length === 0) return NONE;
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
    const ended: Ended[] = [];
    this.#end(ref, { event, isRelease: true }, ended);
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
  find(ref: Ref): Tracked | undefined {
    const table = this.#kinds.get(ref.kind);
    if (table === undefined) return undefined;
    return this.live(ref) ?? this.#tracked(table, table.dead, { row: table.dead.find(ref.number), number: ref.number });
  }

  /** The object if it lives. */
  live({ kind, number }: Ref): Tracked | undefined {
    const table = this.#kinds.get(kind);
    return table === undefined ? undefined : this.#tracked(table, table.live, { row: table.live.find(number), number });
  }

  /** Whose a live object is; undefined where none of this name lives. */
  sideOf({ kind, number }: Ref): string | undefined {
    const table = this.#kinds.get(kind);
    const row = table === undefined ? -1 : table.live.find(number);
    return table === undefined || row < 0 ? undefined : this.#places.at(table.live.at(row, COLUMN.place)).side;
  }

  /** Live objects of a kind, oldest first. */
  *all(kind: ObjectKind): IterableIterator<Tracked> {
    const table = this.#kinds.get(kind);
    if (table === undefined) return;
    const { live } = table;
    const rows = live.keys().map((number) => ({ number, row: live.find(number) }));
    rows.sort((left, right) => live.at(left.row, COLUMN.order) - live.at(right.row, COLUMN.order));
    const objects = rows.flatMap((each) => this.#tracked(table, live, each) ?? []);
    yield* objects;
  }

  /** How many objects of a kind live. */
  count(kind: ObjectKind): number {
    return this.#kinds.get(kind)?.live.size ?? 0;
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
        const row = table.live.find(number);
        const object = this.#tracked(table, table.live, { row, number });
        if (object !== undefined) children.push({ object, order: table.live.at(row, COLUMN.order) });
      }
    }
    return children.sort((left, right) => left.order - right.order).map(({ object }) => object);
  }

  /** What became of the others created by the same call at the same site. */
  siblingsOf({ ref, createdBy, site }: Tracked): Siblings {
    const { birthplaces } = this.#tableOf(ref.kind);
    const { created, released, example } = birthplaces.at(birthplaces.numberOf(createdBy.name, site));
    return { created, released, example };
  }

  #addUnlessLive(call: CallView, ref: Ref, made: Ref[]): void {
    const table = this.#tableOf(ref.kind);
    if (table.live.find(ref.number) >= 0) return;
    const { live, birthplaces } = table;
    const { plan: { name }, site } = call;
    const owner = table.owners.length === 0 ? null : this.#ownerOf(call, table, made);
    const birthplace = birthplaces.numberOf(name, site);
    birthplaces.at(birthplace).created += 1;
    const row = live.add(ref.number);
    this.#order += 1;
    live.put(row, COLUMN.handle, ref.handle);
    live.put(row, COLUMN.createdAt, call.event);
    live.put(row, COLUMN.place, this.#places.numberIn(name, site, call.side));
    live.put(row, COLUMN.endedAt, 0);
    live.put(row, COLUMN.ownerKind, owner === null ? 0 : KIND_NUMBERS.get(owner.kind) ?? 0);
    live.put(row, COLUMN.owner, owner === null ? 0 : owner.number);
    live.put(row, COLUMN.ownerHandle, owner === null ? 0 : owner.handle);
    live.put(row, COLUMN.birthplace, birthplace);
    live.put(row, COLUMN.order, this.#order);
    if (owner !== null && table.isListed) table.byOwner.get(owner.kind)?.add(owner.number, ref.number);
    made.push(ref);
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
      const live = named === null ? undefined : this.#kinds.get(kind)?.live;
      const row = named === null || live === undefined ? -1 : live.find(named.number);
      if (named !== null && live !== undefined && row >= 0) {
        const handle = live.at(row, COLUMN.handle);
        return handle === named.handle ? named : { kind, number: named.number, handle };
      }
    }
    return null;
  }

  /** Ends what goes along first, then the object: `ended` takes them in that order. */
  #end(ref: Ref, how: { readonly event: number; readonly isRelease: boolean }, ended: Ended[]): void {
    const { kind, number } = ref;
    const table = this.#kinds.get(kind);
    const row = table === undefined ? -1 : table.live.find(number);
    if (table === undefined || row < 0) return;
    const { live, dead, birthplaces } = table;
    live.put(row, COLUMN.endedAt, how.event);
    dead.copy(dead.row(number), live, row);
    const owner = live.at(row, COLUMN.owner);
    const ownerKind = KINDS[live.at(row, COLUMN.ownerKind)] ?? null;
    const birthplace = birthplaces.at(live.at(row, COLUMN.birthplace));
    const own = { kind, number, handle: live.at(row, COLUMN.handle) };
    live.remove(number);
    this.#endChildren(own, how, ended);
    if (ownerKind !== null && table.isListed) table.byOwner.get(ownerKind)?.delete(owner, number);
    ended.push({ ref: own, endedAt: how.event });
    if (!how.isRelease) return;
    birthplace.released += 1;
    birthplace.example ??= { object: own, event: how.event };
  }

  #endChildren(ref: Ref, how: { readonly event: number; readonly isRelease: boolean }, ended: Ended[]): void {
    for (const kind of GOES_WITH.get(ref.kind) ?? []) {
      if (this.#kinds.get(kind)?.byOwner.get(ref.kind)?.has(ref.number) !== true) continue;
      for (const child of this.childrenOf({ ref })) {
        if (this.#tableOf(child.ref.kind).goesWithOwner) this.#end(child.ref, how, ended);
      }
      return;
    }
  }

  #tracked(
    { kind }: KindTable,
    rows: Rows,
    { row, number }: { readonly row: number; readonly number: number },
  ): Tracked | undefined {
    if (row < 0) return undefined;
    const { call, site, side } = this.#places.at(rows.at(row, COLUMN.place));
    const ownerKind = KINDS[rows.at(row, COLUMN.ownerKind)] ?? null;
    const owner = { number: rows.at(row, COLUMN.owner), handle: rows.at(row, COLUMN.ownerHandle) };
    return {
      ref: { kind, number, handle: rows.at(row, COLUMN.handle) },
      side,
      createdAt: rows.at(row, COLUMN.createdAt),
      createdBy: { name: call },
      site,
      owner: ownerKind === null ? null : { kind: ownerKind, ...owner },
      endedAt: rows.at(row, COLUMN.endedAt),
    };
  }
}

const NONE: readonly Ended[] = [];
const NO_REFS: readonly Ref[] = [];

/** What became of the objects of one kind made by the same call at the same site. */
class Birthplaces {
  readonly #numbers = new Map<string, Map<string, number>>();
  readonly #places: Birthplace[] = [];
  /** A site's text, made once for each chunk that has it. */
  readonly #texts = new WeakMap<Site, string>();
  /** The newest: a loop makes one after the other. */
  #newest: { readonly call: string; readonly site: Site | null; readonly number: number } | null = null;

  numberOf(call: string, site: Site | null): number {
    const newest = this.#newest;
    if (newest !== null && newest.call === call && newest.site === site) return newest.number;
    const sites = kept(this.#numbers, call, () => new Map<string, number>());
    const text = site === null ? "" : this.#textOf(site);
    const number = kept(sites, text, () => this.#places.push(newBirthplace()) - 1);
    this.#newest = { call, site, number };
    return number;
  }

  at(number: number): Birthplace {
    return this.#places[number] ?? newBirthplace();
  }

  #textOf(site: Site): string {
    return kept(this.#texts, site, ({ file, line, column }) => `${file}:${line}:${column}`);
  }
}

function newBirthplace(): Birthplace {
  return { created: 0, released: 0, example: null };
}

/** The value of a key, made where there is none. */
function kept<K, V>(
  map: { get(key: K): V | undefined; set(key: K, value: V): unknown },
  key: K,
  make: (key: K) => V,
): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make(key);
  map.set(key, made);
  return made;
}

/** Evidence of an object's creation. */
export function creationOf({ createdAt, createdBy, site, side }: Tracked, role = "created"): Evidence {
  return { event: createdAt, role, site, call: createdBy.name, side };
}
