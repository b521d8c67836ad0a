// The state of the model: objects and their handles, memory, callbacks that wait, calls that wait, time.
// It knows no call: behaviours change it, the engine's dispatch decides who may. Everything in it is plain data or copies exactly.

import {
  defaultOptions,
  HANDLE_SPACES,
  type HandleSpace,
  type ModelOptions,
  type ObjectKind,
  OBJECTS,
  type Outcome,
  type Ref,
  type Value,
} from "../api/mod.ts";
import { AddressSpace } from "./address_space.ts";
import { Memory } from "./memory.ts";
import type { EngineObject, ObjectDataByKind } from "./objects.ts";

/** Dead objects of a handle space whose values still resolve, so that a use after the end names what it was. */
export const DEAD_HANDLES_KEPT = 65536;

/** A callback that the library wants to make. */
export interface PendingCallback {
  /** Names it until it is delivered; counts up. */
  readonly id: number;
  readonly name: string;
  /** The endpoint's channel number. */
  readonly channel: number;
  readonly side: string;
  readonly ins: readonly Value[];
  /** The event that made it. */
  readonly cause: number;
}

/** A callback that the driver is in. */
export interface RunningCallback extends PendingCallback {
  /** Its callback event. */
  readonly event: number;
}

/** A call that has not returned. */
export interface ParkedCall {
  /** Its enter event. */
  readonly event: number;
  readonly name: string;
  readonly side: string;
  readonly ins: readonly Value[];
}

/** Something that an input made happen, in order. */
export type Output =
  | {
    readonly form: "memory";
    readonly partition: "guest" | "host" | "video";
    readonly page: number;
    readonly offset: number;
    readonly bytes: Uint8Array;
  }
  | { readonly form: "leave"; readonly event: number; readonly outcome: Outcome; readonly outs: readonly Value[] };

/** A fault that was asked for. */
export interface PlannedFault {
  readonly call: string;
  readonly status: number;
  skip: number;
}

/** What an object is made of. */
export interface ObjectSeed<K extends ObjectKind> {
  readonly side: string;
  readonly owner: EngineObject | null;
  readonly data: ObjectDataByKind[K];
}

/** An object as plain data; its reference follows from kind, number and handle. */
export type ObjectState = Omit<EngineObject, "ref">;

/** Every object that anything still names, as plain data; the other members name objects by their place in `objects`. */
export interface ObjectTables {
  readonly objects: readonly ObjectState[];
  readonly counts: ReadonlyMap<ObjectKind, number>;
  readonly nextHandles: ReadonlyMap<HandleSpace, number>;
  readonly freedHandles: ReadonlyMap<HandleSpace, ReadonlyMap<number, number>>;
  /** Objects that their handle value resolves to. */
  readonly named: readonly number[];
  /** Dead objects that may still be named, oldest first. */
  readonly dead: ReadonlyMap<HandleSpace, readonly number[]>;
  /** In the order in which the children were made. */
  readonly owners: readonly (readonly [child: number, owner: number])[];
}

/** All state of the engine. */
export class World {
  readonly options: ModelOptions;
  timeNs = 0n;
  readonly memory = new Memory();
  /** GPU address spaces by owner, made at first use: `umd#2 on luid`. */
  readonly spaces = new Map<string, AddressSpace>();
  readonly pending: PendingCallback[] = [];
  readonly running: RunningCallback[] = [];
  readonly parked: ParkedCall[] = [];
  readonly faults: PlannedFault[] = [];
  readonly outputs: Output[] = [];
  nextCallbackId = 1;
  /** The number that the next connection of two channels gets. */
  nextConnection = 1;
  readonly #live = new Map<ObjectKind, Map<number, EngineObject>>();
  readonly #counts = new Map<ObjectKind, number>();
  readonly #handles = new Map<HandleSpace, Map<number, EngineObject>>();
  readonly #nextHandle = new Map<HandleSpace, number>();
  readonly #dead = new Map<HandleSpace, EngineObject[]>();
  readonly #children = new Map<EngineObject, Set<EngineObject>>();
  readonly #owners = new Map<EngineObject, EngineObject>();

  constructor(options: ModelOptions = defaultOptions()) {
    this.options = options;
  }

  /** Makes an object: next number of its kind, next handle of its space. */
  create<K extends ObjectKind>(kind: K, seed: ObjectSeed<K>): EngineObject<K> {
    const number = (this.#counts.get(kind) ?? 0) + 1;
    const handle = this.#takeHandle(kind);
    const ref: Ref = Object.freeze({ kind, number, handle });
    const object: EngineObject<K> = {
      kind,
      number,
      handle,
      ref,
      side: seed.side,
      state: OBJECTS[kind].states[0],
      alive: true,
      data: seed.data,
    };
    this.#counts.set(kind, number);
    tableOf(this.#live, kind).set(number, object);
    tableOf(this.#handles, OBJECTS[kind].handles).set(handle, object);
    if (seed.owner !== null) this.#adopt(seed.owner, object);
    return object;
  }

  /** Ends an object; what its kind's table says is released with it ends too, newest first. */
  destroy(object: EngineObject): void {
    if (!object.alive) return;
    const children = [...(this.#children.get(object) ?? [])].reverse();
    for (const child of children) if (OBJECTS[child.kind].ownerEnd === "released") this.destroy(child);
    object.alive = false;
    object.state = OBJECTS[object.kind].states.at(-1) ?? "dead";
    this.#live.get(object.kind)?.delete(object.number);
    this.#forget(object);
  }

  /** Live objects that an object owns. */
  childrenOf(object: EngineObject): readonly EngineObject[] {
    return [...(this.#children.get(object) ?? [])];
  }

  /** The object that owns this one, or null. */
  ownerOf(object: EngineObject): EngineObject | null {
    return this.#owners.get(object) ?? null;
  }

  /** The live object of this kind and number, or undefined. */
  find<K extends ObjectKind>(kind: K, number: number): EngineObject<K> | undefined {
    const object = this.#live.get(kind)?.get(number);
    return object !== undefined && isKind(object, kind) ? object : undefined;
  }

  /** Live objects of a kind, in order of their numbers. */
  *all<K extends ObjectKind>(kind: K): IterableIterator<EngineObject<K>> {
    for (const object of this.#live.get(kind)?.values() ?? []) if (isKind(object, kind)) yield object;
  }

  /** How many objects of a kind were made so far. */
  countOf(kind: ObjectKind): number {
    return this.#counts.get(kind) ?? 0;
  }

  /** How many objects of a kind live. */
  liveCountOf(kind: ObjectKind): number {
    return this.#live.get(kind)?.size ?? 0;
  }

  /** The newest object of this kind that has or had this handle value, or undefined. */
  resolve(kind: ObjectKind, handle: number): EngineObject | undefined {
    const object = this.#handles.get(OBJECTS[kind].handles)?.get(handle);
    return object?.kind === kind ? object : undefined;
  }

  /** Gives a handle value back for reuse (option `handle-reuse`). */
  releaseHandle(object: EngineObject): void {
    const { first, step } = HANDLE_SPACES[OBJECTS[object.kind].handles];
    const freed = tableOf(this.#freed, OBJECTS[object.kind].handles);
    freed.set((object.handle - first) / step, object.handle);
  }
  readonly #freed = new Map<HandleSpace, Map<number, number>>();

  /** Writes memory and reports it as a delta of each page touched. */
  writeMemory(
    partition: "guest" | "host" | "video",
    page: number,
    { offset, bytes }: { readonly offset: number; readonly bytes: Uint8Array },
  ): void {
    this.memory.write({ partition, page, offset }, bytes);
    this.outputs.push({ form: "memory", partition, page, offset, bytes: bytes.slice() });
  }

  /** Queues a callback; the driver says when it runs. */
  raise(callback: Omit<PendingCallback, "id">): void {
    this.pending.push({ ...callback, id: this.nextCallbackId });
    this.nextCallbackId += 1;
  }

  /** A copy of all objects, as plain data. */
  captureObjects(): ObjectTables {
    const live = [...this.#live.values()].flatMap((objects) => [...objects.values()]);
    const objects = [...new Set([...live, ...[...this.#dead.values()].flat(), ...this.#owners.values()])];
    const places = new Map(objects.map((object, place) => [object, place]));
    const placeOf = (object: EngineObject): number => places.get(object) ?? -1;
    return {
      objects: objects.map(({ ref: _ref, ...rest }) => ({ ...rest, data: structuredClone(rest.data) })),
      counts: new Map(this.#counts),
      nextHandles: new Map(this.#nextHandle),
      freedHandles: structuredClone(this.#freed),
      named: [...this.#handles.values()].flatMap((handles) => [...handles.values()].map(placeOf)),
      dead: new Map([...this.#dead].map(([space, dead]) => [space, dead.map(placeOf)])),
      owners: [...this.#owners].map(([child, owner]) => [placeOf(child), placeOf(owner)]),
    };
  }

  /** Takes the objects that `captureObjects` gave; only for a world that has none. */
  restoreObjects({ objects, counts, nextHandles, freedHandles, named, dead, owners }: ObjectTables): void {
    const made = objects.map((state) => revive(state));
    const at = (place: number): EngineObject => {
      const object = made[place];
      if (object === undefined) throw new RangeError(`Cannot restore object ${place}: there are ${made.length}`);
      return object;
    };
    for (const object of made) if (object.alive) tableOf(this.#live, object.kind).set(object.number, object);
    for (const [kind, count] of counts) this.#counts.set(kind, count);
    for (const [space, next] of nextHandles) this.#nextHandle.set(space, next);
    for (const [space, freed] of freedHandles) this.#freed.set(space, new Map(freed));
    for (const object of named.map(at)) tableOf(this.#handles, OBJECTS[object.kind].handles).set(object.handle, object);
    for (const [space, places] of dead) this.#dead.set(space, places.map(at));
    for (const [child, owner] of owners) this.#adopt(at(owner), at(child));
  }

  #takeHandle(kind: ObjectKind): number {
    const space = OBJECTS[kind].handles;
    const { first, step } = HANDLE_SPACES[space];
    const freed = this.#freed.get(space);
    if (freed !== undefined && freed.size > 0) {
      const lowest = Math.min(...freed.keys());
      freed.delete(lowest);
      return first + lowest * step;
    }
    const next = this.#nextHandle.get(space) ?? first;
    this.#nextHandle.set(space, next + step);
    return next;
  }

  /** A dead owner is remembered, but has no children any more. */
  #adopt(owner: EngineObject, child: EngineObject): void {
    this.#owners.set(child, owner);
    if (!owner.alive) return;
    const children = this.#children.get(owner) ?? new Set();
    children.add(child);
    this.#children.set(owner, children);
  }

  #forget(object: EngineObject): void {
    const owner = this.#owners.get(object);
    if (owner !== undefined) this.#children.get(owner)?.delete(object);
    this.#owners.delete(object);
    this.#children.delete(object);
    const space = OBJECTS[object.kind].handles;
    const dead = this.#dead.get(space) ?? [];
    dead.push(object);
    this.#dead.set(space, dead);
    if (dead.length > 2 * DEAD_HANDLES_KEPT) this.#pruneDead(space, dead);
  }

  #pruneDead(space: HandleSpace, dead: EngineObject[]): void {
    const handles = tableOf(this.#handles, space);
    for (const object of dead.splice(0, dead.length - DEAD_HANDLES_KEPT)) {
      if (handles.get(object.handle) === object) handles.delete(object.handle);
    }
  }
}

/** An object of its plain data, its own from here on. */
function revive(state: ObjectState): EngineObject {
  const { kind, number, handle } = state;
  return { ...state, ref: Object.freeze({ kind, number, handle }), data: structuredClone(state.data) };
}

function isKind<K extends ObjectKind>(object: EngineObject, kind: K): object is EngineObject<K> {
  return object.kind === kind;
}

function tableOf<K, A, B>(tables: Map<K, Map<A, B>>, key: K): Map<A, B> {
  const found = tables.get(key);
  if (found !== undefined) return found;
  const made = new Map<A, B>();
  tables.set(key, made);
  return made;
}
