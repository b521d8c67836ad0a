// The tables behind a world's objects: one per kind, one per space of handle values, and who belongs to whom.
// It must not know what objects are for; `world.ts` says when they begin and end.

import { HANDLE_SPACES, type HandleSpace, type ObjectKind, OBJECTS, type OwnerEnd, type Ref } from "../api/mod.ts";
import { DeadRing } from "./dead_ring.ts";
import { type EngineObject, isObject } from "./objects.ts";
import { Slots } from "./slots.ts";

/** Dead objects of a handle space whose values still resolve, so that a use after the end names what it was. */
export const DEAD_HANDLES_KEPT = 8192;

/** Objects of a kind. */
export class KindTable {
  readonly kind: ObjectKind;
  readonly handles: HandleTable;
  readonly ownerEnd: OwnerEnd;
  readonly firstState: string;
  readonly lastState: string;
  /** Those that live, by number. */
  readonly live = new Slots<EngineObject>();
  /** How many were made so far. */
  count = 0;

  constructor(kind: ObjectKind, handles: HandleTable) {
    const { ownerEnd, states } = OBJECTS[kind];
    this.kind = kind;
    this.handles = handles;
    this.ownerEnd = ownerEnd;
    this.firstState = states[0];
    this.lastState = states.at(-1) ?? "dead";
  }

  /** The newest object of this kind that has this handle value, or had it when a call that waits may know it. */
  resolve(handle: number): EngineObject | undefined {
    const named = this.handles.resolve(handle);
    return named?.kind === this.kind && isObject(named) ? named : undefined;
  }

  /** The newest object of this kind that has or had this handle value, or undefined; any number may be asked for. */
  refOf(handle: number): Ref | undefined {
    const named = this.handles.resolve(handle);
    if (named?.kind !== this.kind) return undefined;
    return isObject(named) ? named.ref : named;
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
  readonly #objects = new Slots<Ref>();
  #dead = new DeadRing(2 * DEAD_HANDLES_KEPT);

  constructor(space: HandleSpace) {
    const { first, step } = HANDLE_SPACES[space];
    this.space = space;
    this.next = first;
    this.#first = first;
    this.#step = step;
  }

  /** Dead objects whose values still resolve, oldest first. */
  get dead(): Ref[] {
    return this.#dead.toArray();
  }

  /** How many values resolve to an object, or to what is left of one. */
  get size(): number {
    return this.#objects.size;
  }

  /** The newest object that has or had this value, or undefined; any number may be asked for. */
  resolve(handle: number): Ref | undefined {
    return this.#objects.get(this.#placeOf(handle));
  }

  /** Makes a value resolve to an object, or to the reference that is left of it. */
  name(object: Ref): void {
    this.#objects.set(this.#placeOf(object.handle), object);
  }

  /** Every object that its value resolves to, in order of the values. */
  named(): IterableIterator<Ref> {
    return this.#objects.values();
  }

  /** Gives out the lowest value that was given back, else the next one. */
  take(): number {
    if (this.freed !== null && this.freed.size > 0) {
      const place = Math.min(...this.freed.keys());
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

  /**
   * Keeps a dead object's value for a while. Pass the reference alone where nobody needs the object: memory that was
   * just used serves again soon, while what is kept for long has to be moved out of its way.
   */
  bury(object: Ref): void {
    const place = this.#placeOf(object.handle);
    const named = this.#objects.get(place);
    if (named !== undefined && refOf(named) === refOf(object)) this.#objects.set(place, object);
    this.#keep(object, place);
  }

  /** Takes dead objects, oldest first, in place of its own: those that `dead` gave. */
  restoreDead(objects: readonly Ref[]): void {
    this.#dead = new DeadRing(2 * DEAD_HANDLES_KEPT);
    for (const object of objects) this.#keep(object, this.#placeOf(object.handle));
  }

  #keep(object: Ref, place: number): void {
    if (this.#dead.isFull) this.#forget();
    this.#dead.push(object, place);
  }

  /** Lets the older ones go at once, all but the newest `DEAD_HANDLES_KEPT` with the one that comes now. */
  #forget(): void {
    for (let count = 0; count <= DEAD_HANDLES_KEPT; count += 1) {
      const place = this.#dead.oldestPlace();
      if (this.#objects.get(place) === this.#dead.shift()) this.#objects.delete(place);
    }
  }

  #placeOf(handle: number): number {
    return (handle - this.#first) / this.#step;
  }
}

function refOf(object: Ref): Ref {
  return isObject(object) ? object.ref : object;
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
  const older = owner.newestChild;
  child.olderSibling = older;
  if (older !== null) older.newerSibling = child;
  owner.newestChild = child;
}

/** Takes a dead object out of its family: its owner loses it, and it loses its children, who remember it. */
export function leaveFamily(object: EngineObject): void {
  const { owner, olderSibling, newerSibling } = object;
  if (olderSibling !== null) olderSibling.newerSibling = newerSibling;
  if (newerSibling !== null) newerSibling.olderSibling = olderSibling;
  else if (owner !== null && owner.newestChild === object) owner.newestChild = olderSibling;
  object.owner = null;
  object.olderSibling = null;
  object.newerSibling = null;
  object.newestChild = null;
}

/** Live objects that an object owns, oldest first. */
export function childrenOf(object: EngineObject): EngineObject[] {
  const children: EngineObject[] = [];
  for (let child = object.newestChild; child !== null; child = child.olderSibling) children.push(child);
  return children.reverse();
}
