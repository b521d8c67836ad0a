// The messages between a guest's graphics kernel and its host: headers, command ids, requests and replies at their
// documented offsets. Source: gpuva.md 5.4. It knows layouts, not calls, and not the channel that carries them.

import { type Layout, layout } from "../wire/mod.ts";
import { DXG_STRUCTS } from "./dxg_structs.ts";

/** A message, header included, is at most this long and never split. */
export const MAX_DXG_MESSAGE_BYTES = 131_072;
/** From this interface version on the extended header stands in front. */
export const EXTENDED_HEADER_VERSION = 40;
/** Page frame numbers of one SetExistingSysmemPages message. */
export const MAX_SYSMEM_PFNS = 15_867;

/** In front of a message of newer hosts: where the command begins, and whose GPU it is for. */
export const EXTENDED_HEADER = layout(16, "0 command_offset u32; 4 reserved u32; 8 vgpu_luid u64");

/** In front of every command. `channel_type` bits 0-7: 0 GPU to host, 1 VM to host, 2 host to VM; bit 8: asynchronous. */
export const COMMAND_HEADER = layout(
  24,
  "0 command_id u64; 8 process u32; 12 channel_type u32; 16 command_type u32; 20 padding u32",
);

/** The interface types of the two channels: that of the whole machine, and that of a virtual GPU. */
export const DXG_CHANNELS = {
  global: "{dde9cbc0-5060-4436-9448-ea1254a5d177}",
  vgpu: "{6e382d18-3336-4f4b-acc4-2b7703d4df4a}",
} as const;

/** A command as it was sent. */
export interface DxgCommand {
  /** `command_type`. */
  readonly id: number;
  /** The host's handle of the guest process. */
  readonly process: number;
  /** From the command header on. */
  readonly bytes: Uint8Array;
}

/** The command in a message whose interface version nobody knows; null: there is none. An extended header says where it begins; a plain one begins with 0. */
export function dxgCommandIn(bytes: Uint8Array): DxgCommand | null {
  if (bytes.length < COMMAND_HEADER.bytes) return null;
  const start = Number(EXTENDED_HEADER.decode(bytes)["command_offset"]);
  if (start !== 0 && start !== EXTENDED_HEADER.bytes) return null;
  const command = bytes.subarray(start);
  if (command.length < COMMAND_HEADER.bytes) return null;
  const { command_type: id, process } = COMMAND_HEADER.decode(command);
  return { id: Number(id), process: Number(process), bytes: command };
}

/** A command: its id, what is sent, what comes back. */
export interface DxgMessage {
  readonly id: number;
  /** VM-wide messages go over the global channel. */
  readonly isGlobal: boolean;
  /** The whole request, header included; it begins with the fields of `COMMAND_HEADER`. */
  readonly request: Layout;
  readonly reply: Layout;
  /** Whether the reply says how it went; otherwise a failure shows as a zero handle or address, or not at all. */
  readonly hasStatus: boolean;
}

const HEADER_FIELDS = "0 command_id u64; 8 process u32; 12 channel_type u32; 16 command_type u32; 20 padding u32; ";
const STATUS = layout(4, "0 status u32");
const { MapGpuVirtualAddress, ReserveGpuVirtualAddress, FreeGpuVirtualAddress, CreatePagingQueue } = DXG_STRUCTS;
const { Lock2, SubmitCommand, UpdateOperation } = DXG_STRUCTS;
/** One of `count` entries that begin the tail of a CreateAllocation request; runtime data and private data follow. */
export const ALLOCATION_ENTRY = layout(12, "0 flags u32; 4 priv_data_size u32; 8 vidpn_source u32");
const ALLOCATION_REPLY = layout(
  72,
  "0 handle u32; 4 priv_data_size u32; 8 flags u32; 16 size u64; 24 describe u8[48]",
);

function request(bytes: number, fields: string, parts: Readonly<Record<string, Layout>> = {}): Layout {
  return layout(bytes, HEADER_FIELDS + fields, parts);
}

/** Messages that are decoded, by name. */
export const DXG_MESSAGES = {
  CreateAllocation: {
    id: 4,
    isGlobal: false,
    request: request(
      64,
      "24 device u32; 28 resource u32; 32 private_runtime_data_size u32; 36 priv_data_size u32; 40 count u32; " +
        "44 flags u32; 48 private_runtime_resource_handle u64; 56 make_resident u32; 64 tail u8[*]",
    ),
    reply: layout(
      16,
      "0 flags u32; 4 resource u32; 8 global_share u32; 12 vgpu_flags u32; 16 allocations Allocation[*]",
      { Allocation: ALLOCATION_REPLY },
    ),
    hasStatus: false,
  },
  DestroyAllocation: {
    id: 5,
    isGlobal: false,
    request: request(48, "24 device u32; 28 resource u32; 32 count u32; 36 flags u32; 40 handles u32[count]"),
    reply: STATUS,
    hasStatus: true,
  },
  CreatePagingQueue: {
    id: 9,
    isGlobal: false,
    request: request(56, "24 queue Queue", { Queue: CreatePagingQueue }),
    reply: layout(24, "0 paging_queue u32; 4 sync_object u32; 8 fence_physical_address u64; 16 fence_offset u64"),
    hasStatus: false,
  },
  DestroyPagingQueue: {
    id: 10,
    isGlobal: false,
    request: request(32, "24 paging_queue u32"),
    reply: STATUS,
    hasStatus: false,
  },
  MakeResident: {
    id: 11,
    isGlobal: false,
    request: request(48, "24 device u32; 28 paging_queue u32; 32 flags u32; 36 count u32; 40 handles u32[count]"),
    reply: layout(24, "0 paging_fence_value u64; 8 num_bytes_to_trim u64; 16 status u32"),
    hasStatus: true,
  },
  Evict: {
    id: 12,
    isGlobal: false,
    request: request(40, "24 device u32; 28 flags u32; 32 count u32; 36 handles u32[count]"),
    reply: layout(8, "0 num_bytes_to_trim u64"),
    hasStatus: false,
  },
  FreeGpuVirtualAddress: {
    id: 16,
    isGlobal: false,
    request: request(48, "24 free Free", { Free: FreeGpuVirtualAddress }),
    reply: STATUS,
    hasStatus: true,
  },
  MapGpuVirtualAddress: {
    id: 17,
    isGlobal: false,
    request: request(136, "24 map Map; 128 device u32", { Map: MapGpuVirtualAddress }),
    reply: layout(24, "0 virtual_address u64; 8 paging_fence_value u64; 16 status u32"),
    hasStatus: true,
  },
  ReserveGpuVirtualAddress: {
    id: 18,
    isGlobal: false,
    request: request(96, "24 reserve Reserve", { Reserve: ReserveGpuVirtualAddress }),
    reply: layout(16, "0 virtual_address u64; 8 paging_fence_value u64"),
    hasStatus: false,
  },
  UpdateGpuVirtualAddress: {
    id: 19,
    isGlobal: false,
    request: request(
      120,
      "24 fence_value u64; 32 device u32; 36 context u32; 40 fence_object u32; 44 num_operations u32; 48 flags u32; " +
        "56 operations Operation[num_operations]",
      { Operation: UpdateOperation },
    ),
    reply: STATUS,
    hasStatus: true,
  },
  SubmitCommand: {
    id: 20,
    isGlobal: false,
    request: request(408, "24 submit Submit; 408 rest u8[*]", { Submit: SubmitCommand }),
    reply: STATUS,
    hasStatus: true,
  },
  WaitSyncFromCpu: {
    id: 22,
    isGlobal: false,
    request: request(
      56,
      "24 device u32; 28 object_count u32; 32 flags u32; 40 guest_event u64; 48 dereference_event u8; 56 tail u8[*]",
    ),
    reply: STATUS,
    hasStatus: true,
  },
  Lock2: {
    id: 23,
    isGlobal: false,
    request: request(64, "24 lock Lock; 48 use_legacy_lock u32; 52 flags u32; 56 priv_drv_data u32", { Lock: Lock2 }),
    reply: layout(16, "0 status u32; 8 cpu_visible_buffer_offset u64"),
    hasStatus: true,
  },
  Unlock2: {
    id: 24,
    isGlobal: false,
    request: request(40, "24 device u32; 28 allocation u32"),
    reply: STATUS,
    hasStatus: true,
  },
  SetExistingSysmemStore: {
    id: 45,
    isGlobal: false,
    request: request(40, "24 device u32; 28 allocation u32; 32 gpadl u32"),
    reply: STATUS,
    hasStatus: true,
  },
  SetExistingSysmemPages: {
    id: 66,
    isGlobal: false,
    request: request(
      40,
      "24 device u32; 28 allocation u32; 32 num_pages u32; 36 alloc_offset_in_pages u32; 40 pfns u64[*]",
    ),
    reply: STATUS,
    hasStatus: true,
  },
  CreateProcess: {
    id: 1000,
    isGlobal: true,
    request: request(568, "24 process_pointer u64; 32 process_id u64; 40 process_name u16[261]; 562 flags u8"),
    reply: layout(4, "0 process u32"),
    hasStatus: false,
  },
  SetIoSpaceRegion: {
    id: 1010,
    isGlobal: true,
    request: request(48, "24 start u64; 32 length u64; 40 shared_page_gpadl u32"),
    reply: STATUS,
    hasStatus: true,
  },
} as const satisfies Readonly<Record<string, DxgMessage>>;

/** A message that is decoded. */
export type DxgMessageName = keyof typeof DXG_MESSAGES;

/** Names of the commands of a virtual GPU, from id 0 on; empty: unused. Ids from 45 on moved between builds of Windows. */
const VGPU_COMMANDS =
  `CreateDevice DestroyDevice QueryAdapterInfo DdiQueryAdapterInfo CreateAllocation DestroyAllocation CreateContextVirtual
DestroyContext CreateSyncObject CreatePagingQueue DestroyPagingQueue MakeResident Evict Escape OpenAdapter CloseAdapter
FreeGpuVirtualAddress MapGpuVirtualAddress ReserveGpuVirtualAddress UpdateGpuVirtualAddress SubmitCommand QueryVideoMemoryInfo
WaitSyncFromCpu Lock2 Unlock2 WaitSyncFromGpu SignalSyncObject SignalFenceNtSharedByRef GetDeviceState MarkDeviceAsError
AdapterStop SetQueuedLimit OpenResource SetContextSchedPrio PresentHistoryToken SetRedirectedFlipFence GetInternalAdapterInfo
FlushHeapTransitions Blt DdiGetStandardAllocDriverData CddGdiCommand QueryAllocationResidency FlushDevice FlushAdapter
DdiGetNodeMetadata SetExistingSysmemStore IsSyncObjectSignaled CddSyncGpuAccess QueryStatistics ChangeVidMemReservation
CreateHwQueue DestroyHwQueue SubmitCommandToHwQueue GetDriverStoreFile ReadDriverStoreFile GetNextHardlink
UpdateAllocationProperty OfferAllocations ReclaimAllocations SetAllocationPriority GetAllocationPriority GetContextSchedPrio
QueryClockCalibration - QueryResourceInfo LogEvent SetExistingSysmemPages InvalidateCache IsFeatureEnabled`.split(
    /\s+/,
  );

const GLOBAL_COMMANDS: ReadonlyMap<number, string> = new Map([
  ...`CreateProcess DestroyProcess OpenSyncObject DestroySyncObject CreateNtSharedObject DestroyNtSharedObject SignalFence
NotifyProcessFreeze NotifyProcessThaw QueryEtwSession SetIoSpaceRegion CompleteTransaction`
    .split(/\s+/).map((name, index) => [1000 + index, name] as const),
  [1021, "ShareObjectWithHost"],
  [1022, "IsFeatureEnabled"],
]);

/** The name of a command by its id (`command_type`), or null. */
export function dxgCommandName(id: number): string | null {
  const name = VGPU_COMMANDS[id] ?? GLOBAL_COMMANDS.get(id);
  return name === undefined || name === "-" ? null : name;
}
