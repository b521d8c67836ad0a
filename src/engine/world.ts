// The state of the model: objects and their handles, memory, callbacks that wait, calls that wait, time.
// It knows no call: behaviours change it, the engine's dispatch decides who may. Everything in it is plain data or copies exactly.

import {
  defaultOptions,
  type HandleSpace,
  type ModelOptions,
  type ObjectKind,
  OBJECTS,
  type Outcome,
  type Ref,
  type Value,
} from "../api/mod.ts";
import { AddressSpace } from "./address_space.ts";
import { Memory, plainPiece } from "./memory.ts";
import { adopt, childrenOf, HandleTable, KindTable, leaveFamily } from "./object_tables.ts";
import type { EngineObject, ObjectDataByKind, ObjectState } from "./objects.ts";

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
  /** Made at first use. */
  readonly #kinds = new Map<ObjectKind, KindTable>();
  readonly #handles = new Map<HandleSpace, HandleTable>();

  constructor(options: ModelOptions = defaultOptions()) {
    this.options = options;
  }

  /** Makes an object: next number of its kind, next handle of its space. */
  create<K extends ObjectKind>(kind: K, { side, owner, data }: ObjectSeed<K>): EngineObject<K> {
    const table = this.#tableOf(kind);
    table.count += 1;
    const { firstState: state } = table;
    const object = newObject({
      kind,
      number: table.count,
      handle: table.handles.take(),
      side,
      state,
      alive: true,
      data,
    });
    table.live.set(object.number, object);
    table.handles.name(object);
    if (owner !== null) adopt(owner, object);
    return object;
  }

  /** Ends an object; what its kind's table says is released with it ends too, newest first. */
  destroy(object: EngineObject): void {
    if (!object.alive) return;
    for (let child = object.newestChild; child !== null;) {
      const { olderSibling } = child;
      if (this.#tableOf(child.kind).ownerEnd === "released") this.destroy(child);
      child = olderSibling;
    }
    const table = this.#tableOf(object.kind);
    object.alive = false;
    object.state = table.lastState;
    table.live.delete(object.number);
    leaveFamily(object);
    table.handles.bury(object);
  }

  /** Live objects that an object owns, oldest first. */
  childrenOf(object: EngineObject): readonly EngineObject[] {
    return childrenOf(object);
  }

  /** The object that owns this one, or null. */
  ownerOf(object: EngineObject): EngineObject | null {
    return object.owner;
  }

  /** The live object of this kind and number, or undefined. */
  find<K extends ObjectKind>(kind: K, number: number): EngineObject<K> | undefined {
    const object = this.#kinds.get(kind)?.live.get(number);
    return object !== undefined && isKind(object, kind) ? object : undefined;
  }

  /** Live objects of a kind, in order of their numbers. */
  *all<K extends ObjectKind>(kind: K): IterableIterator<EngineObject<K>> {
    for (const object of this.#kinds.get(kind)?.live.values() ?? []) if (isKind(object, kind)) yield object;
  }

  /** How many objects of a kind were made so far. */
  countOf(kind: ObjectKind): number {
    return this.#kinds.get(kind)?.count ?? 0;
  }

  /** How many objects of a kind live. */
  liveCountOf(kind: ObjectKind): number {
    return this.#kinds.get(kind)?.live.size ?? 0;
  }

  /** The newest object of this kind that has or had this handle value, or undefined. */
  resolve(kind: ObjectKind, handle: number): EngineObject | undefined {
    const object = this.#kinds.get(kind)?.handles.resolve(handle);
    return object?.kind === kind ? object : undefined;
  }

  /** Gives a handle value back for reuse (option `handle-reuse`). */
  releaseHandle(object: EngineObject): void {
    this.#tableOf(object.kind).handles.giveBack(object.handle);
  }

  /** Writes memory and reports it as a delta of each page touched; the bytes must not change afterwards. */
  writeMemory(
    partition: "guest" | "host" | "video",
    page: number,
    { offset, bytes }: { readonly offset: number; readonly bytes: Uint8Array },
  ): void {
    this.memory.write({ partition, page, offset }, bytes);
    this.outputs.push({ form: "memory", partition, page, offset, bytes });
  }

  /** Queues a callback; the driver says when it runs. */
  raise(callback: Omit<PendingCallback, "id">): void {
    this.pending.push({ ...callback, id: this.nextCallbackId });
    this.nextCallbackId += 1;
  }

  /** A copy of all objects, as plain data. */
  captureObjects(): ObjectTables {
    const kinds = [...this.#kinds];
    const tables = [...this.#handles];
    const live = kinds.flatMap(([, table]) => [...table.live.values()]);
    const owners = live.flatMap(({ owner }) => owner ?? []);
    const objects = [...new Set([...live, ...tables.flatMap(([, { dead }]) => dead), ...owners])];
    const places = new Map(objects.map((object, place) => [object, place]));
    const placeOf = (object: EngineObject): number => places.get(object) ?? -1;
    const orphans = live.filter(({ owner }) => owner !== null && !owner.alive);
    const owned = [...objects.flatMap((object) => childrenOf(object)), ...orphans];
    return {
      objects: objects.map(plainObject),
      counts: new Map(kinds.map(([kind, { count }]) => [kind, count])),
      nextHandles: new Map(tables.map(([space, { next }]) => [space, next])),
      freedHandles: new Map(tables.flatMap(([space, { freed }]) => freed === null ? [] : [[space, new Map(freed)]])),
      named: tables.flatMap(([, table]) => [...table.named()].map(placeOf)),
      dead: new Map(tables.flatMap(([space, { dead }]) => dead.length === 0 ? [] : [[space, dead.map(placeOf)]])),
      owners: owned.flatMap((child) => child.owner === null ? [] : [[placeOf(child), placeOf(child.owner)] as const]),
    };
  }

  /** Takes the objects that `captureObjects` gave; only for a world that has none. */
  restoreObjects({ objects, counts, nextHandles, freedHandles, named, dead, owners }: ObjectTables): void {
    const made = objects.map((state) => newObject({ ...state, data: structuredClone(state.data) }));
    const at = (place: number): EngineObject => {
      const object = made[place];
      if (object === undefined) throw new RangeError(`Cannot restore object ${place}: there are ${made.length}`);
      return object;
    };
    for (const [kind, count] of counts) this.#tableOf(kind).count = count;
    for (const object of made) if (object.alive) this.#tableOf(object.kind).live.set(object.number, object);
    for (const [space, next] of nextHandles) this.#handlesOf(space).next = next;
    for (const [space, freed] of freedHandles) this.#handlesOf(space).freed = new Map(freed);
    for (const object of named.map(at)) this.#tableOf(object.kind).handles.name(object);
    for (const [space, places] of dead) this.#handlesOf(space).dead = places.map(at);
    for (const [child, owner] of owners) adopt(at(owner), at(child));
  }

  #tableOf(kind: ObjectKind): KindTable {
    const found = this.#kinds.get(kind);
    if (found !== undefined) return found;
    const made = new KindTable(kind, this.#handlesOf(OBJECTS[kind].handles));
    this.#kinds.set(kind, made);
    return made;
  }

  #handlesOf(space: HandleSpace): HandleTable {
    const found = this.#handles.get(space);
    if (found !== undefined) return found;
    const made = new HandleTable(space);
    this.#handles.set(space, made);
    return made;
  }
}

/** An object of its plain data, without a family yet. All objects are made here, so that all have one shape. */
function newObject<K extends ObjectKind>(
  { kind, number, handle, side, state, alive, data }: ObjectState<K>,
): EngineObject<K> {
  const ref: Ref = { kind, number, handle };
  return {
    kind,
    number,
    handle,
    ref,
    side,
    state,
    alive,
    data,
    owner: null,
    newestChild: null,
    olderSibling: null,
    newerSibling: null,
  };
}

function plainObject({ kind, number, handle, side, state, alive, data }: EngineObject): ObjectState {
  const plain = "pieces" in data ? { ...data, pieces: data.pieces.map(plainPiece) } : data;
  return { kind, number, handle, side, state, alive, data: structuredClone(plain) };
}

function isKind<K extends ObjectKind>(object: EngineObject, kind: K): object is EngineObject<K> {
  return object.kind === kind;
}
