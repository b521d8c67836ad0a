// The whole state of the model as plain data, exact both ways: what a keyframe holds.
// It must not know how a keyframe is encoded. Plain data: numbers, bigints, strings, bytes, arrays, plain objects,
// maps and sets; nothing in it is shared with the world that it was taken from.

import type { ModelOptions } from "../api/mod.ts";
import { AddressSpace, type TapeValue } from "./address_space.ts";
import type { DyingAllocation } from "./allocation_end.ts";
import type { GpuQueue } from "./gpu_work.ts";
import type { MemoryState } from "./memory.ts";
import type { Companion } from "./update_queue.ts";
import type { WireState } from "./wire_state.ts";
import {
  type CapturedObjects,
  copiedObjects,
  type ObjectTables,
  type Output,
  type ParkedCall,
  type PendingCallback,
  type PlannedFault,
  type RunningCallback,
  viewedObjects,
  type World,
} from "./world.ts";

export { isSnapshot } from "./snapshot_shape.ts";

/** All state of an engine at one moment. */
export interface Snapshot {
  readonly options: ModelOptions;
  readonly timeNs: bigint;
  /** Interrupt request levels above PASSIVE_LEVEL, by side. */
  readonly irqls: ReadonlyMap<string, number>;
  readonly memory: MemoryState;
  /** GPU address spaces by owner. */
  readonly spaces: ReadonlyMap<string, readonly TapeValue[]>;
  readonly companions: ReadonlyMap<number, Companion>;
  readonly gpuQueues: ReadonlyMap<number, GpuQueue>;
  readonly dying: ReadonlyMap<number, DyingAllocation>;
  readonly kernelDriver: ReadonlySet<string>;
  readonly pending: readonly PendingCallback[];
  readonly running: readonly RunningCallback[];
  readonly parked: readonly ParkedCall[];
  readonly faults: readonly PlannedFault[];
  /** What nobody has taken yet. */
  readonly outputs: readonly Output[];
  readonly nextCallbackId: number;
  readonly nextConnection: number;
  readonly wire: WireState;
  readonly objects: ObjectTables;
}

/** A state that is made as it is walked, to be encoded at once: all that `Snapshot` has. */
export type StateView = Omit<Snapshot, "objects"> & {
  readonly objects: CapturedObjects<ReturnType<typeof viewedObjects>>;
};

/** A copy of a world. */
export function takeSnapshot(world: World): Snapshot {
  return { ...smallState(world), objects: world.captureObjects(copiedObjects) };
}

/** A world as it is, good until it goes on: of its objects, which are most of it, nothing is copied. */
export function viewState(world: World): StateView {
  return { ...smallState(world), objects: world.captureObjects(viewedObjects) };
}

function smallState(world: World): Omit<Snapshot, "objects"> {
  const { timeNs, nextCallbackId, nextConnection } = world;
  const { pending, running, parked, faults, outputs } = world;
  return {
    options: { ...world.options },
    timeNs,
    irqls: new Map(world.irqls),
    memory: world.memory.toPlain(),
    spaces: new Map([...world.spaces].map(([owner, space]) => [owner, space.toPlain()])),
    companions: structuredClone(world.companions),
    gpuQueues: structuredClone(world.gpuQueues),
    dying: structuredClone(world.dying),
    kernelDriver: new Set(world.kernelDriver),
    ...structuredClone({ pending, running, parked, faults, outputs }),
    nextCallbackId,
    nextConnection,
    wire: structuredClone(world.wire),
  };
}

/** Puts a new world, made with the snapshot's options, into its state. */
export function restoreWorld(world: World, snapshot: Snapshot): void {
  const { pending, running, parked, faults, outputs } = snapshot;
  const copy = structuredClone({ pending, running, parked, faults, outputs });
  world.timeNs = snapshot.timeNs;
  for (const [side, irql] of snapshot.irqls) world.irqls.set(side, irql);
  world.memory.restore(snapshot.memory);
  for (const [owner, plain] of snapshot.spaces) world.spaces.set(owner, AddressSpace.fromPlain(plain));
  for (const [context, companion] of snapshot.companions) world.companions.set(context, structuredClone(companion));
  for (const [context, queue] of snapshot.gpuQueues) world.gpuQueues.set(context, structuredClone(queue));
  for (const [allocation, dying] of snapshot.dying) world.dying.set(allocation, structuredClone(dying));
  for (const name of snapshot.kernelDriver) world.kernelDriver.add(name);
  world.callbacks.restore(copy.pending, copy.running);
  world.parked.push(...copy.parked);
  for (const { event } of copy.parked) world.waiters.wakeCall(event);
  world.faults.push(...copy.faults);
  world.outputs.push(...copy.outputs);
  world.nextCallbackId = snapshot.nextCallbackId;
  world.nextConnection = snapshot.nextConnection;
  world.wire = structuredClone(snapshot.wire);
  world.restoreObjects(snapshot.objects);
}
