// The state of the model: objects and their handles, memory, callbacks that wait, calls that wait, time.
// It knows no call: behaviours change it, the engine's dispatch decides who may. Everything in it is plain data or copies exactly.

import {
  defaultOptions,
  type HandleSpace,
  type ModelOptions,
  type ObjectKind,
  type Outcome,
  printObject,
  type Ref,
  type Value,
} from "../api/mod.ts";
import { AddressSpace } from "./address_space.ts";
import type { DyingAllocation } from "./allocation_end.ts";
import type { NamedSpace } from "./gpu_process.ts";
import type { GpuQueue } from "./gpu_work.ts";
import { Callbacks } from "./callbacks.ts";
import { Meeting } from "./meeting.ts";
import { Memory } from "./memory.ts";
import type { Companion } from "./update_queue.ts";
import {
  adopt,
  childrenOf,
  type HandleTable,
  hasChildren,
  type KindTable,
  leaveFamily,
  Tables,
} from "./object_tables.ts";
import { type AnyData, type AnyPlainData, livingData, plainData, plainForm } from "./plain_data.ts";
import { refill } from "./refill.ts";
import { emptyWireState, type WireState } from "./wire_state.ts";
import { type EngineObject, isObject, type ObjectDataByKind, type ObjectState } from "./objects.ts";
import { Waiters } from "./waiters.ts";
import { WorldObject } from "./world_object.ts";

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
  | { readonly form: "leave"; readonly event: number; readonly outcome: Outcome; readonly outs: readonly Value[] }
  | { readonly form: "message"; readonly name: string; readonly side: string; readonly ins: readonly Value[] };

/** A fault that was asked for. */
export interface PlannedFault {
  readonly call: string;
  readonly status: number;
  skip: number;
}

/** Who makes an object, and who will own it. */
export interface Maker {
  readonly side: string;
  readonly owner: EngineObject | null;
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

/** Objects' state, in which the objects themselves stand in some form. */
export type CapturedObjects<T> = Omit<ObjectTables, "objects"> & { readonly objects: T };

/** All state of the engine. */
export class World {
  readonly options: ModelOptions;
  timeNs = 0n;
  /** Interrupt request levels above PASSIVE_LEVEL, by side. */
  readonly irqls = new Map<string, number>();
  readonly memory = new Memory();
  /** GPU address spaces by owner, made at first use: `umd#2 on luid`. */
  readonly spaces = new Map<string, AddressSpace>();
  /** Some of them by the number of an adapter object that was opened for them: what a search of `spaces` found. */
  readonly spacesByAdapter = new Map<number, NamedSpace>();
  /** Companions of contexts with updates that have not run, by the context's number. */
  readonly companions = new Map<number, Companion>();
  /** Contexts' commands that have not run, by the context's number. */
  readonly gpuQueues = new Map<number, GpuQueue>();
  /** Destroyed allocations that work which was queued before may still use, by the allocation's number. */
  readonly dying = new Map<number, DyingAllocation>();
  /** The callbacks that a kernel-mode display driver registered; none: there is no such driver. */
  readonly kernelDriver = new Set<string>();
  readonly callbacks = new Callbacks();
  /** Calls that have not returned, in the order of their events; `waiters` knows what each waits for. */
  readonly parked: ParkedCall[] = [];
  readonly waiters = new Waiters();
  readonly faults: PlannedFault[] = [];
  readonly outputs: Output[] = [];
  /** What ioctls were answered in this input, by the event of the call; empty between inputs. */
  readonly ioctlAnswers = new Map<number, readonly Value[]>();
  nextCallbackId = 1;
  /** The number that the next connection of two channels gets. */
  nextConnection = 1;
  /** Which endpoints may find each other. */
  readonly meeting = new Meeting();
  /** What VMBus messages were about. */
  wire: WireState = emptyWireState();
  readonly #tables = new Tables();
  /** Tables that had an object, in the order of their first: they belong to a snapshot. */
  readonly #kindsUsed: KindTable[] = [];
  readonly #spacesUsed: HandleTable[] = [];
  /** Tells inputs apart. */
  #input = 0;

  /** A GPADL's handle value is given back by its delete alone. */
  readonly #reusesHandles: boolean;

  constructor(options: ModelOptions = defaultOptions()) {
    this.options = options;
    this.#reusesHandles = options["handle-reuse"] === "after-delete";
  }

  /** Objects that a handle value names, those that are dead included: a snapshot has each. */
  get namedObjects(): number {
    return this.#spacesUsed.reduce((sum, { size }) => sum + size, 0);
  }

  /** Callbacks that are due, oldest first. */
  get pending(): readonly PendingCallback[] {
    return this.callbacks.pending;
  }

  /** Callbacks that drivers are in. */
  get running(): readonly RunningCallback[] {
    return this.callbacks.running;
  }

  /** Makes an object: next number of its kind, next handle of its space. */
  create<K extends ObjectKind>(kind: K, data: ObjectDataByKind[K], { side, owner }: Maker): EngineObject<K> {
    const table = this.#tables.of(kind);
    if (table.count === 0) this.#use(table);
    table.count += 1;
    const number = table.count;
    const handle = table.handles.take();
    const object = this.#objectOf(table, kind, data);
    object.begin({ number, handle, side, state: table.firstState });
    table.live.set(number, object);
    table.name(number, handle);
    if (owner !== null) adopt(owner, object);
    return object;
  }

  /** One that ended in an earlier input, else a new one: what ended in this input may still be in use. */
  #objectOf<K extends ObjectKind>({ idle }: KindTable, kind: K, data: ObjectDataByKind[K]): WorldObject<K> {
    const object = idle === null ? undefined : idle[idle.length - 1];
    if (object === undefined || object.endedIn === this.#input || !isKind(object, kind)) {
      return new WorldObject(kind, data);
    }
    idle?.pop();
    if (!refill(object, data)) object.data = data;
    return object;
  }

  /** An input begins: what ended before it may serve again. */
  beginInput(): void {
    this.#input = (this.#input + 1) | 0;
  }

  /** Ends an object; what its kind's table says is released with it ends too, newest first. */
  destroy(object: EngineObject): void {
    if (!object.alive) return;
    if (hasChildren(object)) {
      for (const child of childrenOf(object).reverse()) {
        if (this.#tables.of(child.kind).ownerEnd === "released") this.destroy(child);
      }
    }
    const table = this.#tables.of(object.kind);
    object.alive = false;
    object.state = table.lastState;
    table.live.delete(object.number);
    if (this.parked.length > 0) this.#wakeEnd(object);
    const isRemembered = this.parked.length > 0 || hasChildren(object);
    leaveFamily(object);
    if (this.#reusesHandles && table.handles.space === "d3dkmt") table.handles.giveBack(object.handle);
    table.bury(object.number, object.handle, this.parked.length > 0 ? object : null);
    if (isRemembered || table.idle === null || !(object instanceof WorldObject)) return;
    object.endedIn = this.#input;
    table.idle.push(object);
  }

  #wakeEnd({ kind, number }: EngineObject): void {
    if (kind === "gpadl") this.waiters.wake("gpadl", number);
    if (kind !== "channel") return;
    this.waiters.wake("channel", number);
    this.waiters.wake("endOfChannel", number);
  }

  /** Live objects that an object owns, oldest first. */
  childrenOf(object: EngineObject): readonly EngineObject[] {
    return childrenOf(object);
  }

  /** The object that owns this one, or null. */
  ownerOf(object: EngineObject): EngineObject | null {
    return object.owner;
  }

  /** The table of a kind, for those that look up many objects of it. */
  tableOf(kind: ObjectKind): KindTable {
    return this.#tables.of(kind);
  }

  /** The live object of this kind and number, or undefined. */
  find<K extends ObjectKind>(kind: K, number: number): EngineObject<K> | undefined {
    const object = this.#tables.of(kind).live.get(number);
    return object !== undefined && isKind(object, kind) ? object : undefined;
  }

  /** Live objects of a kind, in order of their numbers. */
  *all<K extends ObjectKind>(kind: K): IterableIterator<EngineObject<K>> {
    for (const object of this.#tables.of(kind).live.values()) if (isKind(object, kind)) yield object;
  }

  /** How many objects of a kind were made so far. */
  countOf(kind: ObjectKind): number {
    return this.#tables.of(kind).count;
  }

  /** How many objects of a kind live. */
  liveCountOf(kind: ObjectKind): number {
    return this.#tables.of(kind).live.size;
  }

  /** The newest object of this kind that has this handle value, or had it when a call that waits may know it. */
  resolve(kind: ObjectKind, handle: number): EngineObject | undefined {
    return this.#tables.of(kind).resolve(handle);
  }

  /** Gives a handle value back for reuse (option `handle-reuse`). */
  releaseHandle(object: EngineObject): void {
    this.#tables.of(object.kind).handles.giveBack(object.handle);
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
    this.callbacks.raise({ ...callback, id: this.nextCallbackId });
    this.nextCallbackId += 1;
  }

  /** A copy of all objects, as plain data. */
  captureObjects<T>(list: (objects: readonly Ref[]) => T): CapturedObjects<T> {
    const kinds = this.#kindsUsed;
    const tables = this.#spacesUsed.map((table) => ({ table, space: table.space, dead: table.dead }));
    const live = kinds.flatMap((table) => [...table.live.values()]);
    const owners = live.flatMap(({ owner }) => owner ?? []);
    const objects = [...new Set<Ref>([...live, ...tables.flatMap(({ dead }) => dead), ...owners])];
    const places = new Map(objects.map((object, place) => [object, place]));
    const placeOf = (object: Ref): number => places.get(object) ?? -1;
    const gone = new Map(tables.flatMap(({ dead }) => dead).map((object) => [printObject(object), object]));
    const placeOfNamed = (ref: Ref): number =>
      placeOf(this.find(ref.kind, ref.number) ?? gone.get(printObject(ref)) ?? ref);
    const orphans = live.filter(({ owner }) => owner !== null && !owner.alive);
    const owned = [...objects.flatMap((object) => isObject(object) ? childrenOf(object) : []), ...orphans];
    return {
      objects: list(objects),
      counts: new Map(kinds.map(({ kind, count }) => [kind, count])),
      nextHandles: new Map(tables.map(({ space, table }) => [space, table.next])),
      freedHandles: new Map(
        tables.flatMap(({ space, table: { freed } }) => freed === null ? [] : [[space, new Map(freed)]]),
      ),
      named: tables.flatMap(({ table }) => table.named().map(placeOfNamed)),
      dead: new Map(tables.flatMap(({ space, dead }) => dead.length === 0 ? [] : [[space, dead.map(placeOf)]])),
      owners: owned.flatMap((child) => child.owner === null ? [] : [[placeOf(child), placeOf(child.owner)] as const]),
    };
  }

  /** Takes the objects that `captureObjects` gave; only for a world that has none. */
  restoreObjects({ objects, counts, nextHandles, freedHandles, named, dead, owners }: ObjectTables): void {
    const made = objects.map(restored);
    const at = (place: number): Ref => {
      const object = made[place];
      if (object === undefined) throw new RangeError(`Cannot restore object ${place}: there are ${made.length}`);
      return object;
    };
    const objectAt = (place: number): EngineObject => {
      const object = at(place);
      if (!isObject(object)) throw new RangeError(`Cannot restore object ${place}: only its reference is left`);
      return object;
    };
    for (const [kind, count] of counts) {
      this.#use(this.#tables.of(kind));
      this.#tables.of(kind).count = count;
    }
    for (const object of made) {
      if (isObject(object) && object.alive) this.#tables.of(object.kind).live.set(object.number, object);
    }
    for (const [space, next] of nextHandles) this.#useSpace(this.#tables.handlesOf(space)).next = next;
    for (const [space, freed] of freedHandles) this.#useSpace(this.#tables.handlesOf(space)).freed = new Map(freed);
    for (const { kind, number, handle } of named.map(at)) this.#tables.of(kind).name(number, handle);
    for (const [space, places] of dead) {
      this.#useSpace(this.#tables.handlesOf(space));
      for (const object of places.map(at)) {
        const { kind, number, handle } = object;
        this.#tables.of(kind).bury(number, handle, isObject(object) ? object : null);
      }
    }
    for (const [child, owner] of owners) adopt(objectAt(owner), objectAt(child));
    for (const channel of this.all("channel")) this.meeting.update(channel);
  }

  #use(table: KindTable): void {
    if (!this.#kindsUsed.includes(table)) this.#kindsUsed.push(table);
    this.#useSpace(table.handles);
  }

  #useSpace(table: HandleTable): HandleTable {
    if (!this.#spacesUsed.includes(table)) this.#spacesUsed.push(table);
    return table;
  }
}

function restored(state: ObjectState): Ref {
  const { kind, number, handle, side, alive, data } = state;
  if (data === null) return { kind, number, handle };
  const object = new WorldObject(kind, livingData(data));
  object.begin({ number, handle, side, state: state.state });
  object.alive = alive;
  return object;
}

/** Copies of objects' state. */
export function copiedObjects(objects: readonly Ref[]): readonly ObjectState[] {
  return objects.map((object) => stateOf(object, plainData));
}

/** Objects' state, made as it is walked: nothing is copied, so that it is good until the world goes on. */
export function viewedObjects(objects: readonly Ref[]): Iterable<ObjectState> & { readonly length: number } {
  return {
    length: objects.length,
    *[Symbol.iterator]() {
      for (const object of objects) yield stateOf(object, plainForm);
    },
  };
}

function stateOf(object: Ref, dataOf: (data: AnyData) => AnyPlainData): ObjectState {
  const { kind, number, handle } = object;
  if (!isObject(object)) return { kind, number, handle, side: "", state: "", alive: false, data: null };
  const { side, state, alive, data } = object;
  return { kind, number, handle, side, state, alive, data: dataOf(data) };
}

function isKind<K extends ObjectKind>(object: EngineObject, kind: K): object is EngineObject<K> {
  return object.kind === kind;
}
