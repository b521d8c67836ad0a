// What the table of objects keeps of one kind, as rows of numbers: a live object is no thing for the garbage collector, and lies
// in one place. It must not know calls but what made an object, nor rules.

import { type ObjectKind, objectKind, OBJECTS, type Ref } from "../api/mod.ts";
import type { Site } from "../trace/mod.ts";
import type { CallView } from "./detector.ts";
import type { Siblings } from "./finding.ts";
import type { ObjectRows } from "./object_rows.ts";
import type { Owned } from "./owned.ts";
import type { Place, Places } from "./places.ts";
import type { PlanShape } from "./plan_shape.ts";

/** What is kept of an object, by column; `place` is its place's number and, below it, its owner's kind, 0 for none. */
export const COLUMN = { handle: 0, createdAt: 1, endedAt: 2, place: 3, owner: 4, ownerHandle: 5, order: 6 } as const;
/** How many columns that are. */
export const COLUMNS = Object.keys(COLUMN).length;
/** Numbers of kinds below a place's number. */
const KINDS_ROOM = 256;

/** Whether the object of a row lives; a row that somebody else made has no event. */
export function isAlive(cells: Float64Array, row: number): boolean {
  return cells[row + COLUMN.endedAt] === 0 && cells[row + COLUMN.createdAt] !== 0;
}

/** Kinds by the numbers that rows hold; 0 stands for none. */
export const KINDS: readonly (ObjectKind | null)[] = [null, ...Object.keys(OBJECTS).map(objectKind)];

/** Told of objects of a kind that begin and end. */
export interface Counter {
  start(): void;
  pair(): void;
}

/** A kind that can own objects of another. */
export interface OwnerKind {
  readonly kind: ObjectKind;
  /** Its number among `KINDS`. */
  readonly number: number;
  readonly rows: ObjectRows;
  /** What live owners have; null: nobody asks. */
  readonly owned: Owned | null;
}

/** What a table of a kind needs. */
export interface KindFacts {
  readonly kind: ObjectKind;
  readonly rows: ObjectRows;
  /** The nearest first. */
  readonly owners: readonly OwnerKind[];
  readonly places: Places;
  readonly counter: Counter | null;
}

/** All objects of a kind: live ones, and the newest dead. */
export class KindTable {
  readonly kind: ObjectKind;
  readonly rows: ObjectRows;
  /** They end with their owner. */
  readonly goesWithOwner: boolean;
  readonly #owners: readonly OwnerKind[];
  readonly #places: Places;
  readonly #counter: Counter | null;
  readonly #birthplaces = new Birthplaces();
  /** Where calls name owners: places of each kind of owner, by shape. */
  #shape: PlanShape | null = null;
  #named: readonly number[] = [];
  /** How many live. */
  live = 0;
  /** How many began. */
  begun = 0;

  constructor({ kind, rows, owners, places, counter }: KindFacts) {
    this.kind = kind;
    this.rows = rows;
    this.goesWithOwner = OBJECTS[kind].ownerEnd === "released";
    this.#owners = owners;
    this.#places = places;
    this.#counter = counter;
  }

  /** The row of a live object, -1: none of this number lives. */
  liveRow(number: number): number {
    const row = this.rows.find(number);
    return row >= 0 && isAlive(this.rows.cells, row) ? row : -1;
  }

  /** Begins an object that does not live; `order` is higher the later it was made, `madeWithIt` are others of the same call. */
  begin(
    call: CallView,
    { number, handle }: Pick<Ref, "number" | "handle">,
    { order, madeWithIt }: { readonly order: number; readonly madeWithIt: readonly Ref[] },
  ): void {
    const at = this.#ownerAt(call, madeWithIt);
    const owner = this.#owners[at];
    const made = owner === undefined || madeWithIt.length === 0
      ? undefined
      : madeWithIt.find(({ kind }) => kind === owner.kind);
    const named = this.#named[at] ?? -1;
    const ownerNumber = owner === undefined ? 0 : made?.number ?? call.objectNumberAt(named);
    const ownerHandle = owner === undefined ? 0 : made?.handle ?? handleOf(call, named, owner.rows);
    const place = this.#places.numberOfCall(call);
    this.#birthplaces.of(place, this.#places).created += 1;
    const row = this.rows.add(number);
    const { cells } = this.rows;
    cells[row + COLUMN.handle] = handle;
    cells[row + COLUMN.createdAt] = call.event;
    cells[row + COLUMN.endedAt] = 0;
    cells[row + COLUMN.place] = place * KINDS_ROOM + (owner?.number ?? 0);
    cells[row + COLUMN.owner] = ownerNumber;
    cells[row + COLUMN.ownerHandle] = ownerHandle;
    cells[row + COLUMN.order] = order;
    owner?.owned?.add(ownerNumber, number);
    this.live += 1;
    this.begun += 1;
    this.#counter?.start();
  }

  /** The live object of a row is dead; returns its name. */
  end(number: number, row: number, event: number): Ref {
    const { cells } = this.rows;
    cells[row + COLUMN.endedAt] = event;
    this.live -= 1;
    this.#counter?.pair();
    this.rows.settle(number);
    return { kind: this.kind, number, handle: cells[row + COLUMN.handle] ?? 0 };
  }

  /** What ended has left its owner. */
  leave(number: number, row: number): void {
    const { cells } = this.rows;
    const kind = (cells[row + COLUMN.place] ?? 0) % KINDS_ROOM;
    for (const owner of this.#owners) {
      if (owner.number === kind) owner.owned?.delete(cells[row + COLUMN.owner] ?? 0, number);
    }
  }

  /** What ended was released, not lost with its process. */
  release(own: Ref, row: number): void {
    const { cells } = this.rows;
    const birthplace = this.#birthplaces.of(this.#placeNumber(row), this.#places);
    birthplace.released += 1;
    birthplace.example ??= { object: own, event: cells[row + COLUMN.endedAt] ?? 0 };
  }

  /** What became of those that were made by a call at a site. */
  siblings(call: string, site: Site | null): Siblings {
    const { created, released, example } = this.#birthplaces.find(call, site) ?? newBirthplace();
    return { created, released, example };
  }

  /** Whether an object owns live ones of this kind. */
  isOwning({ kind, number }: Pick<Ref, "kind" | "number">): boolean {
    for (const owner of this.#owners) if (owner.kind === kind) return owner.owned?.has(number) === true;
    return false;
  }

  /** Live ones of this kind that an object owns. */
  ownedBy({ kind, number }: Pick<Ref, "kind" | "number">): readonly number[] {
    return this.#owners.find((owner) => owner.kind === kind)?.owned?.of(number) ?? NO_NUMBERS;
  }

  /** Where the object of a row was made. */
  placeOf(row: number): Place {
    return this.#places.at(this.#placeNumber(row));
  }

  /** The owner of the object of a row, null: none. */
  ownerOf(row: number): Ref | null {
    const { cells } = this.rows;
    const kind = KINDS[(cells[row + COLUMN.place] ?? 0) % KINDS_ROOM] ?? null;
    if (kind === null) return null;
    return { kind, number: cells[row + COLUMN.owner] ?? 0, handle: cells[row + COLUMN.ownerHandle] ?? 0 };
  }

  #placeNumber(row: number): number {
    return Math.floor((this.rows.cells[row + COLUMN.place] ?? 0) / KINDS_ROOM);
  }

  /**
   * The first of the kinds of owners of which the call made one, or names one that is not dead; -1: none. One from before the trace is
   * an owner too: what it takes along ends with it.
   */
  #ownerAt(call: CallView, madeWithIt: readonly Ref[]): number {
    const { shape } = call;
    if (shape !== this.#shape) {
      this.#shape = shape;
      this.#named = this.#owners.map(({ kind }) => shape.object(kind));
    }
    for (let at = 0; at < this.#owners.length; at += 1) {
      const owner = this.#owners[at];
      if (owner === undefined) continue;
      if (madeWithIt.length > 0 && madeWithIt.some(({ kind }) => kind === owner.kind)) return at;
      const number = call.objectNumberAt(this.#named[at] ?? -1);
      if (number >= 0 && !isDead(owner.rows, number)) return at;
    }
    return -1;
  }
}

const NO_NUMBERS: readonly number[] = [];

function isDead(rows: ObjectRows, number: number): boolean {
  const row = rows.find(number);
  return row >= 0 && rows.cells[row + COLUMN.createdAt] !== 0 && !isAlive(rows.cells, row);
}

/** The handle of an object that a call names: the one that it had when it was created, as far as that was seen. */
function handleOf(call: CallView, place: number, rows: ObjectRows): number {
  const row = rows.find(call.objectNumberAt(place));
  const isSeen = row >= 0 && rows.cells[row + COLUMN.createdAt] !== 0;
  return (isSeen ? rows.cells[row + COLUMN.handle] : call.objectAt(place)?.handle) ?? 0;
}

interface Birthplace {
  created: number;
  released: number;
  example: Siblings["example"];
}

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
