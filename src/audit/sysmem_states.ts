// Which GPADLs stand behind allocations of a paravirtualised GPU, folded from the messages between a guest's graphics
// kernel and its host (gpuva.md 5.4, 5.7): message 45 gives an allocation its GPADL, and later ones tell the host to drop
// the allocation. It judges nothing. What it keeps is bound to GPADLs that live.

import {
  COMMAND_HEADER,
  DXG_CHANNELS,
  DXG_MESSAGES,
  type DxgCommand,
  dxgCommandIn,
  dxgCommandName,
  type Value,
} from "../api/mod.ts";
import { type LayoutRecord, WireError } from "../wire/mod.ts";
import { refOf } from "./call_shapes.ts";
import type { ChannelStates } from "./channel_states.ts";
import type { CallView } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import type { GpadlRecord, Gpadls } from "./gpadl_states.ts";
import { evidenceOf } from "./join.ts";
import { packetShapeOf } from "./packet_shapes.ts";
import type { PlanShape } from "./plan_shape.ts";

const { CreateAllocation, DestroyAllocation, SetExistingSysmemStore } = DXG_MESSAGES;
/** Where the device stands in a message that is about one; DestroyDevice has no documented offsets. */
const DEVICE_OFFSET = COMMAND_HEADER.bytes;
const FAILURES = 0x80000000;
const DXG_TYPES: ReadonlySet<Value> = new Set<Value>(Object.values(DXG_CHANNELS));

/** An allocation over guest memory, and the GPADL that shows it to the host. */
export interface Store {
  readonly gpadl: GpadlRecord;
  /** The host's handles. */
  readonly process: number;
  readonly device: number;
  readonly allocation: number;
  /** The program's call that the GPADL was made for, 0: none that is known. */
  readonly asked: number;
  /** Message 45. */
  readonly shared: Evidence;
  /** The message that told the host to drop the allocation, null: none yet. */
  dropped: Evidence | null;
}

/** What a reply to a create says. */
interface Created {
  readonly process: number;
  readonly resource: number;
  readonly allocations: readonly number[];
}

/** Stores of live GPADLs. */
export class Stores {
  readonly #channels: ChannelStates;
  readonly #gpadls: Gpadls;
  readonly #byGpadl = new Map<number, Store>();
  /** For which call of a program live GPADLs were made, by the GPADL's number. */
  readonly #askers = new Map<number, number>();
  /** Allocations of each resource, by process and resource, as replies named them. */
  readonly #resources = new Map<string, readonly number[]>();
  /** Message 45 that was not answered, by its event. */
  readonly #asked = new Map<number, Store>();

  constructor(folds: { readonly channels: ChannelStates; readonly gpadls: Gpadls }) {
    this.#channels = folds.channels;
    this.#gpadls = folds.gpadls;
  }

  /** The allocation behind a GPADL; undefined: none that is known. */
  of({ ref }: GpadlRecord): Store | undefined {
    return this.#byGpadl.get(ref.number);
  }

  /** Whether nothing is known of any GPADL. */
  get isEmpty(): boolean {
    return this.#byGpadl.size === 0 && this.#askers.size === 0;
  }

  /** Whether a call can carry a message that is about allocations: those are answered, so they are requests. */
  static carries(shape: PlanShape): boolean {
    const packet = packetShapeOf(shape);
    return packet?.role === "request" && packet.buffer >= 0;
  }

  /** Takes a message that is sent. */
  called(call: CallView): void {
    const command = this.#commandIn(call);
    if (command === null) return;
    switch (dxgCommandName(command.id)) {
      case "SetExistingSysmemStore":
        return this.#share(call, command);
      case "DestroyAllocation":
        return this.#dropListed(call, command);
      case "DestroyDevice":
        return this.#dropDevice(call, command);
      case "DestroyProcess":
        return this.#dropProcess(call, command);
    }
  }

  /** Takes its answer: a store that the host refused is none, and a create names what its resource has. */
  returned(call: CallView): void {
    const store = this.#asked.get(call.event);
    this.#asked.delete(call.event);
    const reply = call.out("bytes");
    if (store !== undefined) {
      const isTaken = call.succeeded && reply instanceof Uint8Array && !isFailure(SetExistingSysmemStore, reply);
      if (!isTaken) this.#byGpadl.delete(store.gpadl.ref.number);
      return;
    }
    const command = call.succeeded && reply instanceof Uint8Array ? this.#commandIn(call) : null;
    if (command?.id !== CreateAllocation.id || !(reply instanceof Uint8Array)) return;
    const created = createdBy(command, reply);
    if (created === null || created.resource === 0) return;
    const key = resourceKey(created);
    this.#resources.set(key, [...this.#resources.get(key) ?? [], ...created.allocations]);
  }

  /** Takes a GPADL that was made for a program's call, event `asker`; 0: for none. */
  created(call: CallView, asker: number): void {
    const gpadl = asker === 0 ? null : refOf(call.outs, "gpadl");
    if (gpadl !== null) this.#askers.set(gpadl.number, asker);
  }

  /** Forgets a GPADL that is gone. */
  ended({ number }: GpadlRecord): void {
    this.#byGpadl.delete(number);
    this.#askers.delete(number);
  }

  #commandIn(call: CallView): DxgCommand | null {
    const packet = packetShapeOf(call.shape);
    const bytes = packet === null ? null : call.ins[packet.buffer];
    const channel = this.#channels.find(call.objectAt(call.shape.at.channel));
    const isOfGpu = channel !== undefined && DXG_TYPES.has(channel.identity[0]);
    return isOfGpu && bytes instanceof Uint8Array ? dxgCommandIn(bytes) : null;
  }

  #share(call: CallView, { process, bytes }: DxgCommand): void {
    const fields = decoded(() => SetExistingSysmemStore.request.decode(bytes));
    const gpadl = fields === null ? undefined : this.#named(numberIn(fields, "gpadl"));
    if (fields === null || gpadl === undefined) return;
    const store = {
      gpadl,
      process,
      device: numberIn(fields, "device"),
      allocation: numberIn(fields, "allocation"),
      asked: this.#askers.get(gpadl.ref.number) ?? 0,
      shared: evidenceOf(call, "shared"),
      dropped: null,
    };
    this.#byGpadl.set(gpadl.ref.number, store);
    this.#asked.set(call.event, store);
  }

  /** The GPADL is one of the global channel, whichever channel the message takes. */
  #named(handle: number): GpadlRecord | undefined {
    for (const { ref, isServer, identity } of this.#channels.all()) {
      if (isServer || identity[0] !== DXG_CHANNELS.global) continue;
      const gpadl = this.#gpadls.named(ref.number, handle);
      if (gpadl !== undefined) return this.#gpadls.numbered(gpadl);
    }
    return undefined;
  }

  /** A list of allocations, or a resource with all of its own. */
  #dropListed(call: CallView, { process, bytes }: DxgCommand): void {
    const fields = decoded(() => DestroyAllocation.request.decode(bytes));
    if (fields === null) return;
    const resource = numberIn(fields, "resource");
    const key = resourceKey({ process, resource });
    const listed = resource === 0 ? fields["handles"] : this.#resources.get(key);
    if (resource !== 0) this.#resources.delete(key);
    const handles = new Set<unknown>(Array.isArray(listed) ? listed : []);
    this.#drop(call, (store) => store.process === process && handles.has(store.allocation));
  }

  #dropDevice(call: CallView, { process, bytes }: DxgCommand): void {
    if (bytes.length < DEVICE_OFFSET + 4) return;
    const device = new DataView(bytes.buffer, bytes.byteOffset).getUint32(DEVICE_OFFSET, true);
    this.#drop(call, (store) => store.process === process && store.device === device);
  }

  #dropProcess(call: CallView, { process }: DxgCommand): void {
    this.#drop(call, (store) => store.process === process);
    for (const key of this.#resources.keys()) if (key.startsWith(`${process} `)) this.#resources.delete(key);
  }

  /** A message that never left tells nobody. */
  #drop(call: CallView, isIts: (store: Store) => boolean): void {
    if (call.outcome !== null && !call.succeeded) return;
    for (const store of this.#byGpadl.values()) {
      if (store.dropped === null && isIts(store)) store.dropped = evidenceOf(call, "dropped");
    }
  }
}

function createdBy({ process }: DxgCommand, reply: Uint8Array): Created | null {
  const fields = decoded(() => CreateAllocation.reply.decode(reply));
  const entries = fields?.["allocations"];
  if (fields === null || !Array.isArray(entries)) return null;
  const allocations = entries.map((entry: LayoutRecord) => numberIn(entry, "handle")).filter((handle) => handle !== 0);
  return { process, resource: numberIn(fields, "resource"), allocations };
}

function resourceKey({ process, resource }: Pick<Created, "process" | "resource">): string {
  return `${process} ${resource}`;
}

function isFailure({ reply }: typeof SetExistingSysmemStore, bytes: Uint8Array): boolean {
  const fields = decoded(() => reply.decode(bytes));
  return fields === null || numberIn(fields, "status") >= FAILURES;
}

function numberIn(fields: LayoutRecord, name: string): number {
  const value = fields[name];
  return typeof value === "number" ? value : 0;
}

/** What a layout reads; null where the bytes are too few: then it is no such message. */
function decoded(read: () => LayoutRecord): LayoutRecord | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}
