// The whole state of the model as plain data, exact both ways: what a keyframe holds.
// It must not know how a keyframe is encoded. Plain data: numbers, bigints, strings, bytes, arrays, plain objects,
// maps and sets; nothing in it is shared with the world that it was taken from.

import type { ModelOptions } from "../api/mod.ts";
import { AddressSpace, type TapeValue } from "./address_space.ts";
import type { MemoryState } from "./memory.ts";
import type {
  ObjectTables,
  Output,
  ParkedCall,
  PendingCallback,
  PlannedFault,
  RunningCallback,
  World,
} from "./world.ts";

export { isSnapshot } from "./snapshot_shape.ts";

/** All state of an engine at one moment. */
export interface Snapshot {
  readonly options: ModelOptions;
  readonly timeNs: bigint;
  readonly memory: MemoryState;
  /** GPU address spaces by owner. */
  readonly spaces: ReadonlyMap<string, readonly TapeValue[]>;
  readonly pending: readonly PendingCallback[];
  readonly running: readonly RunningCallback[];
  readonly parked: readonly ParkedCall[];
  readonly faults: readonly PlannedFault[];
  /** What nobody has taken yet. */
  readonly outputs: readonly Output[];
  readonly nextCallbackId: number;
  readonly nextConnection: number;
  readonly objects: ObjectTables;
}

/** A copy of a world. */
export function takeSnapshot(world: World): Snapshot {
  const { timeNs, nextCallbackId, nextConnection } = world;
  const { pending, running, parked, faults, outputs } = world;
  return {
    options: { ...world.options },
    timeNs,
    memory: world.memory.toPlain(),
    spaces: new Map([...world.spaces].map(([owner, space]) => [owner, space.toPlain()])),
    ...structuredClone({ pending, running, parked, faults, outputs }),
    nextCallbackId,
    nextConnection,
    objects: world.captureObjects(),
  };
}

/** Puts a new world, made with the snapshot's options, into its state. */
export function restoreWorld(world: World, snapshot: Snapshot): void {
  const { pending, running, parked, faults, outputs } = snapshot;
  const copy = structuredClone({ pending, running, parked, faults, outputs });
  world.timeNs = snapshot.timeNs;
  world.memory.restore(snapshot.memory);
  for (const [owner, plain] of snapshot.spaces) world.spaces.set(owner, AddressSpace.fromPlain(plain));
  world.pending.push(...copy.pending);
  world.running.push(...copy.running);
  world.parked.push(...copy.parked);
  world.faults.push(...copy.faults);
  world.outputs.push(...copy.outputs);
  world.nextCallbackId = snapshot.nextCallbackId;
  world.nextConnection = snapshot.nextConnection;
  world.restoreObjects(snapshot.objects);
}
