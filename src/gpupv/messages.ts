// Messages between the guest's graphics kernel and its host as bytes: extended header, command header, command. Layouts
// that gpuva.md 5.4 has stand in `api`; those that it has no offsets for stand here, of synchronization objects and device
// states in the order of dxgvmbus.h, the others this model's own.
// It must not know who sends what, nor channels.

import {
  COMMAND_HEADER,
  DXG_MESSAGES,
  DXG_STRUCTS,
  type DxgMessage,
  EXTENDED_HEADER,
  EXTENDED_HEADER_VERSION,
  MAX_DXG_MESSAGE_BYTES,
} from "../api/mod.ts";
import { layout, type LayoutRecord } from "../wire/mod.ts";
import { u32, u64 } from "./record.ts";

const HEADER = "0 command_id u64; 8 process u32; 12 channel_type u32; 16 command_type u32; 20 padding u32; ";
const STATUS = layout(4, "0 status u32");

/** Messages whose ids are documented and whose offsets are not. */
const OWN_MESSAGES = {
  CreateDevice: {
    id: 0,
    isGlobal: false,
    request: layout(32, HEADER + "24 adapter u32; 28 flags u32"),
    reply: layout(4, "0 device u32"),
    hasStatus: false,
  },
  DestroyDevice: {
    id: 1,
    isGlobal: false,
    request: layout(32, HEADER + "24 device u32"),
    reply: STATUS,
    hasStatus: true,
  },
  CreateContextVirtual: {
    id: 6,
    isGlobal: false,
    request: layout(
      48,
      HEADER + "24 device u32; 28 node_ordinal u32; 32 engine_affinity u32; 36 flags u32; 40 client_hint u32",
    ),
    reply: layout(4, "0 context u32"),
    hasStatus: false,
  },
  CreateSyncObject: {
    id: 8,
    isGlobal: false,
    request: layout(128, HEADER + "24 sync Sync; 120 client_hint u32", {
      Sync: DXG_STRUCTS.CreateSynchronizationObject2,
    }),
    reply: layout(
      32,
      "0 sync_object u32; 4 global_sync_object u32; 8 fence_gpu_va u64; 16 fence_storage_address u64; " +
        "24 fence_storage_offset u32",
    ),
    hasStatus: false,
  },
  DestroyContext: {
    id: 7,
    isGlobal: false,
    request: layout(32, HEADER + "24 context u32"),
    reply: STATUS,
    hasStatus: true,
  },
  OpenAdapter: {
    id: 14,
    isGlobal: false,
    request: layout(40, HEADER + "24 interface_version u32; 28 last_compatible_version u32; 32 adapter_luid u64"),
    reply: layout(16, "0 adapter u32; 4 status u32; 8 interface_version u32; 12 last_compatible_version u32"),
    hasStatus: true,
  },
  CloseAdapter: {
    id: 15,
    isGlobal: false,
    request: layout(32, HEADER + "24 adapter u32"),
    reply: STATUS,
    hasStatus: true,
  },
  WaitSyncFromGpu: {
    id: 25,
    isGlobal: false,
    request: layout(48, HEADER + "24 context u32; 28 object_count u32; 32 legacy_fence_object u8; 40 tail u8[*]"),
    reply: STATUS,
    hasStatus: true,
  },
  SignalSyncObject: {
    id: 26,
    isGlobal: false,
    request: layout(
      56,
      HEADER +
        "24 object_count u32; 28 flags u32; 32 context_count u32; 40 fence_value u64; 48 device u64; 56 tail u8[*]",
    ),
    reply: STATUS,
    hasStatus: true,
  },
  GetDeviceState: {
    id: 28,
    isGlobal: false,
    request: layout(80, HEADER + "24 state State", { State: DXG_STRUCTS.GetDeviceState }),
    reply: layout(64, "0 state State; 56 status u32", { State: DXG_STRUCTS.GetDeviceState }),
    hasStatus: true,
  },
  FlushDevice: {
    id: 42,
    isGlobal: false,
    request: layout(32, HEADER + "24 device u32; 28 reason u32"),
    reply: STATUS,
    hasStatus: true,
  },
  DestroyProcess: {
    id: 1001,
    isGlobal: true,
    request: layout(24, HEADER.slice(0, -2)),
    reply: STATUS,
    hasStatus: true,
  },
  DestroySyncObject: {
    id: 1003,
    isGlobal: true,
    request: layout(32, HEADER + "24 sync_object u32"),
    reply: STATUS,
    hasStatus: true,
  },
} as const satisfies Readonly<Record<string, DxgMessage>>;

/** Every message that is sent here. */
export const MESSAGES = { ...DXG_MESSAGES, ...OWN_MESSAGES } as const;
/** The name of a message. */
export type MessageName = keyof typeof MESSAGES;

/** The FlushDevice reason of a process that ends (gpuva.md 5.7). */
export const FLUSH_TERMINATE = 4;
/** Bits 0 to 7 of `channel_type`. */
const CHANNEL_TYPE = { vgpu: 0, global: 1 } as const;
/** Bit 8 of `channel_type`: nobody waits for a reply. */
const ASYNC = 0x100;

const NAMES: ReadonlyMap<number, MessageName> = new Map(namesById());

/** How messages are framed: by the interface's version, and for which GPU. */
export interface Framing {
  readonly interfaceVersion: number;
  readonly luid: bigint;
}

/** A message to send. */
export interface OutgoingMessage {
  readonly name: MessageName;
  /** The host's handle of the guest process, 0: none. */
  readonly process: number;
  readonly fields: LayoutRecord;
  readonly isAsync?: boolean;
}

/** A message that arrived. */
export interface IncomingMessage {
  readonly name: MessageName;
  readonly process: number;
  readonly fields: LayoutRecord;
  readonly isAsync: boolean;
  /** The GPU that the extended header names; 0 without one. */
  readonly luid: bigint;
}

/** A message as bytes; null: the command is longer than 128 KB, the extended header not counted (2047 updates fit, gpuva.md 5.4). */
export function encodeMessage(
  { name, process, fields, isAsync }: OutgoingMessage,
  { interfaceVersion, luid }: Framing,
): Uint8Array | null {
  const { id, isGlobal, request } = MESSAGES[name];
  const channel = CHANNEL_TYPE[isGlobal ? "global" : "vgpu"] | (isAsync === true ? ASYNC : 0);
  const header = { command_id: 0, process, channel_type: channel, command_type: id };
  const isExtended = interfaceVersion >= EXTENDED_HEADER_VERSION;
  const start = isExtended ? EXTENDED_HEADER.bytes : 0;
  const bytes = new Uint8Array(start + request.sizeOf({ ...fields, ...header }));
  if (bytes.length - start > MAX_DXG_MESSAGE_BYTES) return null;
  if (isExtended) bytes.set(EXTENDED_HEADER.encode({ command_offset: start, vgpu_luid: luid }));
  bytes.set(request.encode({ ...fields, ...header }), start);
  return bytes;
}

/** A message from bytes, or null: a command that nobody knows. `WireError` where they are too few. */
export function decodeMessage(bytes: Uint8Array, { interfaceVersion }: Framing): IncomingMessage | null {
  const extended = interfaceVersion >= EXTENDED_HEADER_VERSION ? EXTENDED_HEADER.decode(bytes) : {};
  const command = bytes.subarray(u32(extended, "command_offset"));
  const header = COMMAND_HEADER.decode(command);
  const name = NAMES.get(u32(header, "command_type"));
  if (name === undefined) return null;
  return {
    name,
    process: u32(header, "process"),
    fields: MESSAGES[name].request.decode(command),
    isAsync: (u32(header, "channel_type") & ASYNC) !== 0,
    luid: u64(extended, "vgpu_luid"),
  };
}

/** A reply as bytes. */
export function encodeReply(name: MessageName, fields: LayoutRecord): Uint8Array {
  return MESSAGES[name].reply.encode(fields);
}

/** A reply from bytes; null: it is shorter than it should be. */
export function decodeReply(name: MessageName, bytes: Uint8Array): LayoutRecord | null {
  const { reply } = MESSAGES[name];
  return bytes.length < reply.bytes ? null : reply.decode(bytes);
}

function* namesById(): IterableIterator<readonly [id: number, name: MessageName]> {
  for (const name of Object.keys(MESSAGES)) if (isName(name)) yield [MESSAGES[name].id, name];
}

function isName(name: string): name is MessageName {
  return Object.hasOwn(MESSAGES, name);
}
