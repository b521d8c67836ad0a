// The tables behind a world's objects: one per kind, one per space of handle values, and who belongs to whom.
// It must not know what objects are for; `world.ts` says when they begin and end.

import { HANDLE_SPACES, type HandleSpace, type ObjectKind, OBJECTS, type OwnerEnd } from "../api/mod.ts";
import type { EngineObject } from "./objects.ts";
import { Slots } from "./slots.ts";

/** Dead objects of a handle space whose values still resolve, so that a use after the end names what it was. */
export const DEAD_HANDLES_KEPT = 8192;

/** Objects of a kind. */
export class KindTable {
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
    this.handles = handles;
    this.ownerEnd = ownerEnd;
    this.firstState = states[0];
    this.lastState = states.at(-1) ?? "dead";
  }
}

/** The values of one handle space: every step from its first value on, so that each has a place from 0 on. */
export class HandleTable {
  /** The value after the highest one given out. */
  next: number;
  /** Values given back for reuse, by their place; null: there never was one. */
  freed: Map<number, number> | null = null;
  /** Dead objects, oldest first; their values still resolve. */
  dead: EngineObject[] = [];
  readonly #first: number;
  readonly #step: number;
  /** By place, the newest object that has or had the value. */
  readonly #objects = new Slots<EngineObject>();

  constructor(space: HandleSpace) {
    const { first, step } = HANDLE_SPACES[space];
    this.next = first;
    this.#first = first;
    this.#step = step;
  }

  /** The newest object that has or had this value, or undefined; any number may be asked for. */
  resolve(handle: number): EngineObject | undefined {
    return this.#objects.get(this.#placeOf(handle));
  }

  /** Makes a value resolve to an object. */
  name(object: EngineObject): void {
    this.#objects.set(this.#placeOf(object.handle), object);
  }

  /** Every object that its value resolves to, in order of the values. */
  named(): IterableIterator<EngineObject> {
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

  /** Keeps a dead object's value for a while. */
  bury(object: EngineObject): void {
    this.dead.push(object);
    if (this.dead.length <= 2 * DEAD_HANDLES_KEPT) return;
    const gone = this.dead.length - DEAD_HANDLES_KEPT;
    for (const old of this.dead.splice(0, gone)) {
      if (this.resolve(old.handle) === old) this.#objects.delete(this.#placeOf(old.handle));
    }
  }

  #placeOf(handle: number): number {
    return (handle - this.#first) / this.#step;
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
