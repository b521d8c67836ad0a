// The tables behind a world's objects: one per kind, one per space of handle values, and who belongs to whom.
// It must not know what objects are for; `world.ts` says when they begin and end.

import { HANDLE_SPACES, type HandleSpace, type ObjectKind, OBJECTS, type OwnerEnd, type Ref } from "../api/mod.ts";
import { DeadRing } from "./dead_ring.ts";
import type { EngineObject } from "./objects.ts";
import type { WorldObject } from "./world_object.ts";
import { REFILLED } from "./refill.ts";
import { kindsOf } from "./shape.ts";
import { NumberSlots, Slots } from "./slots.ts";

/** Dead objects of a handle space whose values still resolve, so that a use after the end names what it was. */
export const DEAD_HANDLES_KEPT = 8192;

/** An object of any kind as one number, its code: its own number and the place of its kind among all kinds. 0: none. */
const KINDS = kindsOf(OBJECTS);
const KIND_LIMIT = 32;

function codeOf(kindPlace: number, number: number): number {
  return number * KIND_LIMIT + kindPlace;
}

function numberIn(code: number): number {
  return Math.floor(code / KIND_LIMIT);
}

/** Objects of a kind. */
export class KindTable {
  readonly kind: ObjectKind;
  readonly handles: HandleTable;
  readonly ownerEnd: OwnerEnd;
  readonly firstState: string;
  readonly lastState: string;
  /** Those that live, by number. */
  readonly live = new Slots<EngineObject>();
  /** Objects that ended and that nobody knows any more, to serve again; null: those of this kind are made anew. */
  readonly idle: WorldObject[] | null;
  /** How many were made so far. */
  count = 0;
  readonly #place: number;

  constructor(kind: ObjectKind, handles: HandleTable) {
    const { ownerEnd, states } = OBJECTS[kind];
    this.kind = kind;
    this.handles = handles;
    this.ownerEnd = ownerEnd;
    this.firstState = states[0];
    this.lastState = states.at(-1) ?? "dead";
    this.idle = REFILLED.has(kind) ? [] : null;
    this.#place = KINDS.indexOf(kind);
  }

  /** The newest object of this kind that has this handle value, or had it when a call that waits may know it. */
  resolve(handle: number): EngineObject | undefined {
    const code = this.#codeAt(handle);
    return code === 0 ? undefined : this.live.get(numberIn(code)) ?? this.handles.kept(code);
  }

  /** The newest object of this kind that has or had this handle value, or undefined; any number may be asked for. */
  refOf(handle: number): Ref | undefined {
    const code = this.#codeAt(handle);
    return code === 0 ? undefined : { kind: this.kind, number: numberIn(code), handle };
  }

  /** Makes the handle value of an object of this kind resolve to it. */
  name(number: number, handle: number): void {
    this.handles.name(codeOf(this.#place, number), handle);
  }

  /** Keeps the handle value of a dead object of this kind for a while, and the object itself where somebody may need it. */
  bury(number: number, handle: number, whole: EngineObject | null): void {
    this.handles.bury(codeOf(this.#place, number), handle, whole);
  }

  #codeAt(handle: number): number {
    const code = this.handles.resolve(handle);
    return code - numberIn(code) * KIND_LIMIT === this.#place ? code : 0;
  }
}

/** The values of one handle space: every step from its first value on, so that each has a place from 0 on. */
export class HandleTable {
  readonly space: HandleSpace;
  /** The value after the highest one given out. */
  next: number;
  /** Values given back for reuse, by their place; null: there never was one. */
  freed: Map<number, number> | null = null;
  readonly #first: number;
  readonly #step: number;
  /** By place, the newest object that has or had the value. */
  readonly #codes = new NumberSlots();
  #dead = new DeadRing(2 * DEAD_HANDLES_KEPT);
  /** Those of the dead that are kept whole, by their codes. */
  readonly #kept = new Map<number, EngineObject>();

  constructor(space: HandleSpace) {
    const { first, step } = HANDLE_SPACES[space];
    this.space = space;
    this.next = first;
    this.#first = first;
    this.#step = step;
  }

  /** Dead objects whose values still resolve, oldest first; the reference of one that is not kept whole. */
  get dead(): Ref[] {
    return this.#dead.toArray().map(([code, place]) => this.#kept.get(code) ?? this.#refOf(code, place));
  }

  /** How many values resolve to an object, or to what is left of one. */
  get size(): number {
    return this.#codes.size;
  }

  /** The code of the newest object that has or had this value, or 0; any number may be asked for. */
  resolve(handle: number): number {
    return this.#codes.get(this.#placeOf(handle));
  }

  /** A dead object that is kept whole. */
  kept(code: number): EngineObject | undefined {
    return this.#kept.size === 0 ? undefined : this.#kept.get(code);
  }

  /** Makes a value resolve to an object, by its code. */
  name(code: number, handle: number): void {
    this.#codes.set(this.#placeOf(handle), code);
  }

  /** Every object that its value resolves to, in order of the values. */
  named(): Ref[] {
    return [...this.#codes.entries()].map(([place, code]) => this.#refOf(code, place));
  }

  /** Gives out the lowest value that was given back, else the next one. */
  take(): number {
    if (this.freed !== null && this.freed.size > 0) {
      let place = Infinity;
      for (const each of this.freed.keys()) place = Math.min(place, each);
      const handle = this.freed.get(place);
      this.freed.delete(place);
      if (handle !== undefined) return handle;
    }
    const handle = this.next;
    this.next += this.#step;
    return handle;
  }

  /** Takes a value back for reuse. */
  giveBack(handle: number): void {
    this.freed ??= new Map();
    this.freed.set(this.#placeOf(handle), handle);
  }

  /** Keeps a dead object's value for a while, and the object itself where somebody may need it. */
  bury(code: number, handle: number, whole: EngineObject | null): void {
    if (this.#dead.isFull) this.#forget();
    this.#dead.push(code, this.#placeOf(handle));
    if (whole !== null) this.#kept.set(code, whole);
  }

  /** Lets the older ones go at once, all but the newest `DEAD_HANDLES_KEPT` with the one that comes now. */
  #forget(): void {
    for (let count = 0; count <= DEAD_HANDLES_KEPT; count += 1) {
      const place = this.#dead.oldestPlace();
      const code = this.#dead.shift() ?? 0;
      if (this.#codes.get(place) === code) this.#codes.set(place, 0);
      if (this.#kept.size > 0) this.#kept.delete(code);
    }
  }

  #placeOf(handle: number): number {
    return (handle - this.#first) / this.#step;
  }

  #refOf(code: number, place: number): Ref {
    const number = numberIn(code);
    const kind = KINDS[code - number * KIND_LIMIT];
    if (kind === undefined) throw new RangeError(`Cannot find kind of code ${code}: there are ${KINDS.length}`);
    return { kind, number, handle: this.#first + place * this.#step };
  }
}

/** The tables of all kinds and of all spaces. */
export class Tables {
  readonly #kinds = new Map<string, KindTable>();
  readonly #spaces = new Map<string, HandleTable>();

  /** The table of a kind. */
  of(kind: ObjectKind): KindTable {
    const known = this.#kinds.get(kind);
    if (known !== undefined) return known;
    const made = new KindTable(kind, this.handlesOf(OBJECTS[kind].handles));
    this.#kinds.set(kind, made);
    return made;
  }

  /** The table of a space. */
  handlesOf(space: HandleSpace): HandleTable {
    const known = this.#spaces.get(space);
    if (known !== undefined) return known;
    const made = new HandleTable(space);
    this.#spaces.set(space, made);
    return made;
  }
}

/** Makes an object the newest child of its owner; a dead owner is remembered, but has no children any more. */
export function adopt(owner: EngineObject, child: EngineObject): void {
  child.owner = owner;
  if (!owner.alive) return;
  owner.children ??= [];
  child.place = owner.children.length;
  child.adoption = owner.adoptions;
  owner.children.push(child);
  owner.adoptions += 1;
}

/**
 * Takes a dead object out of its family: its owner loses it, and it loses its children, who remember it. Of its siblings
 * only the last one is touched, which takes its place: those beside it are cold.
 */
export function leaveFamily(object: EngineObject): void {
  const { owner, place } = object;
  object.owner = null;
  if (hasChildren(object)) object.children = null;
  if (owner === null || owner.children === null) return;
  const last = owner.children.pop();
  if (last === undefined || last === object) return;
  owner.children[place] = last;
  last.place = place;
}

/** Whether an object owns live ones. */
export function hasChildren({ children }: EngineObject): boolean {
  return children !== null && children.length > 0;
}

/** Live objects that an object owns, oldest first. */
export function childrenOf({ children }: EngineObject): EngineObject[] {
  return (children ?? []).toSorted((one, other) => one.adoption - other.adoption);
}
