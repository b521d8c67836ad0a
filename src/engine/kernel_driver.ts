// The kernel-mode display driver: it is told of processes that begin and end on an adapter, and may reserve addresses for
// itself while one begins. Rules: gpuva.md 1.7, 2.1 (DxgkCbReserveGpuVirtualAddressRange).

import { type CallbackName, isRef, PAGE_BYTES, sameObject, STATUS, type Value } from "../api/mod.ts";
import { answer, type Behaviour, blocked, fail, type Reply, type Scope, success } from "./behaviour.ts";
import { endVads, spaceName, spaceOnAdapter } from "./gpu_process.ts";
import { pagesIn } from "./gpu_va.ts";
import type { EngineObject } from "./objects.ts";
import { placeRange } from "./placement.ts";
import type { PendingCallback, World } from "./world.ts";

/** Pages that a leaf page table covers: 512 entries of 4 KB. */
const LEAF_TABLE_PAGES = 512;
/** Bits of an address that one level of page tables resolves. */
const LEVEL_BITS = 9;
const PAGE_BITS = 12;
const CREATE: CallbackName = "DxgkDdiCreateProcess";
const DESTROY: CallbackName = "DxgkDdiDestroyProcess";

interface InitializationData {
  readonly DxgkDdiCreateProcess: boolean | null;
  readonly DxgkDdiDestroyProcess: boolean | null;
}

/** There is one driver. It is told of processes that come later. */
function initialize({ world }: Scope, data: InitializationData): Reply {
  if (world.kernelDriver.size > 0) return fail("STATUS_INVALID_PARAMETER");
  if (data.DxgkDdiCreateProcess === true) world.kernelDriver.add(CREATE);
  if (data.DxgkDdiDestroyProcess === true) world.kernelDriver.add(DESTROY);
  return success();
}

/**
 * To ask before a process first uses an adapter: null where it may go on, else the answer of the call that uses it. With a
 * driver the call waits until DxgkDdiCreateProcess has returned, and fails with what that failed with.
 */
export function beginProcess(scope: Scope, luid: bigint): Reply | null {
  const { world, side, event } = scope;
  if (world.kernelDriver.size === 0) return null;
  const name = spaceName(side, luid);
  const process = processOf(world, name);
  if (process === undefined) return world.spaces.has(name) ? null : announce(scope, { side, luid });
  if (process.state === "creating") return blocked();
  const { status, openedBy } = process.data;
  if (status === STATUS.STATUS_SUCCESS) return null;
  world.destroy(process);
  return openedBy === event ? answer(status) : announce(scope, { side, luid });
}

/** Begins a process, with its address space for the driver to reserve in. */
function announce(scope: Scope, where: { readonly side: string; readonly luid: bigint }): Reply | null {
  const { world, event } = scope;
  const data = {
    space: spaceOnAdapter(world, where).name,
    openedBy: event,
    status: STATUS.STATUS_SUCCESS,
    isExiting: false,
  };
  const process = scope.create("process", data);
  if (!world.kernelDriver.has(CREATE)) {
    process.state = "live";
    return null;
  }
  world.raise({ name: CREATE, channel: 0, side: "kmd", ins: [process.ref], cause: event });
  return blocked();
}

function processOf(world: World, space: string): EngineObject<"process"> | undefined {
  return [...world.all("process")].find(({ data }) => data.space === space && !data.isExiting);
}

/** A process has ended: its driver is told, and what it reserved is gone with the address spaces. */
export function endProcesses(world: World, { side, event }: { readonly side: string; readonly event: number }): void {
  for (const process of [...world.all("process")]) {
    if (process.side !== side || process.data.isExiting) continue;
    const isPending = takePending(world, process);
    if (isPending || process.data.status !== STATUS.STATUS_SUCCESS) world.destroy(process);
    else {
      process.data.isExiting = true;
      if (process.state === "live") dismiss(world, process, event);
    }
  }
}

/** Whether its creation was announced and not delivered: then the driver never hears of it. */
function takePending({ callbacks }: World, { ref }: EngineObject<"process">): boolean {
  return callbacks.withdraw(0, ({ name, ins: [made] }) => name === CREATE && isRef(made) && sameObject(made, ref));
}

function dismiss(world: World, process: EngineObject<"process">, cause: number): void {
  if (world.kernelDriver.has(DESTROY)) {
    world.raise({ name: DESTROY, channel: 0, side: "kmd", ins: [process.ref], cause });
  } else world.destroy(process);
}

function created(world: World, { callback, status, event }: KernelReturn): void {
  const process = processIn(world, callback);
  if (process === undefined) return;
  process.state = "live";
  process.data.status = status;
  if (status !== STATUS.STATUS_SUCCESS) dropSpace(world, process);
  if (!process.data.isExiting) return;
  if (status === STATUS.STATUS_SUCCESS) dismiss(world, process, event);
  else world.destroy(process);
}

/** Of a process that the driver refused nothing is left, but for what its opener is to be told. */
function dropSpace(world: World, { data: { space } }: EngineObject<"process">): void {
  endVads(world, world.spaces.get(space)?.vads().map(({ number }) => number) ?? []);
  world.spaces.delete(space);
}

function destroyed(world: World, { callback }: KernelReturn): void {
  const process = processIn(world, callback);
  if (process !== undefined) world.destroy(process);
}

function processIn(world: World, { ins }: PendingCallback): EngineObject<"process"> | undefined {
  const [ref] = ins;
  const number = typeof ref === "object" && ref !== null && "number" in ref ? ref.number : 0;
  return typeof number === "number" ? world.find("process", number) : undefined;
}

/**
 * Reserves for the driver. Refusals in order: a process whose creation is over; size, alignment and base that are no
 * multiple of what the option `driver-reservation-unit` says, an alignment that is no power of two; a base below the
 * second entry of the root page table, as the first is always invalid; the end of the space; an overlap; no place.
 */
function reserveRange(
  scope: Scope,
  process: EngineObject<"process">,
  sizeBytes: bigint,
  alignmentBytes: bigint,
  baseAddress: bigint,
  allowsUserMode: boolean,
): Reply {
  const { world } = scope;
  const space = world.spaces.get(process.data.space);
  const unit = world.options["driver-reservation-unit"] === "leaf-table" ? LEAF_TABLE_PAGES : 1;
  const [pageCount, alignment, base] = [pagesIn(sizeBytes), pagesIn(alignmentBytes), pagesIn(baseAddress)];
  if (space === undefined || pageCount <= 0 || base < 0 || pageCount % unit !== 0 || base % unit !== 0) {
    return invalid();
  }
  if (alignment <= 0 || alignment % unit !== 0 || (alignmentBytes & (alignmentBytes - 1n)) !== 0n) return invalid();
  const lowest = rootEntryPages(space.vaBits);
  const isOutside = base !== 0 && (base < lowest || base + pageCount > space.pageLimit);
  if (isOutside) return invalid();
  const wanted = base === 0 ? null : { start: base, end: base + pageCount };
  if (wanted !== null && space.isAnyObtained(wanted)) return invalid();
  const within = { start: lowest, end: space.pageLimit };
  const span = wanted ?? placeRange(scope, space, { pageCount, alignment, within });
  if (span === null) return fail("STATUS_NO_MEMORY");
  const vad = world.create("vad", { space: process.data.space }, { side: process.side, owner: null });
  const keeper = allowsUserMode ? "shared" : "driver";
  space.reserve({ ...span, vad: vad.number, baseState: "invalid", driverProtection: 0n, keeper }, null);
  return success(BigInt(span.start * PAGE_BYTES));
}

/** Pages below one entry of the root page table, with as few levels of tables as the space needs. */
function rootEntryPages(vaBits: number): number {
  const levels = Math.ceil((vaBits - PAGE_BITS) / LEVEL_BITS);
  return 2 ** (LEVEL_BITS * (levels - 1));
}

function invalid(): Reply {
  return fail("STATUS_INVALID_PARAMETER");
}

/** A callback of the kernel driver that returned. */
export interface KernelReturn {
  readonly callback: PendingCallback;
  readonly status: number;
  /** What the driver gave back, by position. */
  readonly outs: readonly Value[];
  /** The return's event. */
  readonly event: number;
}

/** What goes on when a callback of the kernel driver returns. */
export const KERNEL_RETURNS: Readonly<Record<string, ((world: World, returned: KernelReturn) => void) | undefined>> = {
  [CREATE]: created,
  [DESTROY]: destroyed,
};

/** Behaviours of the kernel driver's calls. */
export const KERNEL_DRIVER_BEHAVIOURS = {
  DxgkInitialize: initialize,
  DxgkCbReserveGpuVirtualAddressRange: reserveRange,
} as const satisfies Readonly<Record<string, Behaviour>>;
