// The operations of an update, read: units, alignment, protection and repeats of each by itself (gpuva.md 2.1, 4.6).
// It must not know what pages there are.

import { SYMBOLS } from "../api/mod.ts";
import type { AddressSpace, PageSpan } from "./address_space.ts";
import { spaceBehind } from "./gpu_process.ts";
import { pagesIn } from "./gpu_va.ts";
import type { EngineObject } from "./objects.ts";
import type { World } from "./world.ts";

/** How often one operation can repeat its allocation range: the model's limit, none is documented. */
export const MAX_REPEATS = 65536;

const { MAP, UNMAP, COPY, MAP_PROTECT } = SYMBOLS.updateOperation;
const { Write, Execute, Zero, NoAccess } = SYMBOLS.protection;

/** An operation as it is passed: a D3DDDI_UPDATEGPUVIRTUALADDRESS_OPERATION. */
export interface Operation {
  readonly OperationType: number;
  readonly BaseAddress: bigint;
  readonly SizeInBytes: bigint;
  readonly hAllocation: EngineObject<"allocation"> | null;
  readonly AllocationOffsetInBytes: bigint;
  readonly AllocationSizeInBytes: bigint;
  readonly Protection: bigint;
  readonly DriverProtection: bigint;
  readonly SourceAddress: bigint;
  readonly DestAddress: bigint;
}

/** An operation in pages. */
export interface Step {
  /** What it changes. */
  readonly span: PageSpan;
  /** What is copied there; null: it maps or unmaps. */
  readonly source: PageSpan | null;
  readonly state: "mapped" | "zero" | "invalid";
  /** The allocation's number, 0 where it maps none. */
  readonly allocation: number;
  readonly firstPage: number;
  /** So many pages of the allocation from there on, over and over. */
  readonly repeatPages: number;
  /** Write and Execute bits. */
  readonly protection: number;
  /** Null: that of the address. */
  readonly driverProtection: bigint | null;
}

/** Which members count depends on the type; the others share their bytes and are not looked at. Null: it breaks a rule. */
export function stepOf(world: World, space: AddressSpace, operation: Operation): Step | null {
  switch (operation.OperationType) {
    case MAP: {
      const isInherited = world.options["update-driver-protection"] === "inherit";
      const driverProtection = isInherited ? null : 0n;
      return mapStep(world, space, { ...operation, Protection: Write, driverProtection });
    }
    case MAP_PROTECT:
      return mapStep(world, space, { ...operation, driverProtection: operation.DriverProtection });
    case UNMAP:
      return unmapStep(space, operation);
    case COPY:
      return copyStep(space, operation);
    default:
      return null;
  }
}

/** U5: no allocation size means the whole size; else the size is a multiple of it. Equal sizes are accepted. */
function mapStep(
  world: World,
  space: AddressSpace,
  operation: Operation & { readonly driverProtection: bigint | null },
): Step | null {
  const { hAllocation: allocation, Protection, driverProtection } = operation;
  if (allocation === null || !allocation.alive || (Protection & ~(Write | Execute)) !== 0n) return null;
  if (spaceBehind(world, allocation)?.space !== space) return null;
  const span = spanOf(space, operation.BaseAddress, operation.SizeInBytes);
  const firstPage = pagesIn(operation.AllocationOffsetInBytes);
  const given = pagesIn(operation.AllocationSizeInBytes);
  if (span === null || firstPage < 0 || given < 0) return null;
  const pageCount = span.end - span.start;
  const repeatPages = given === 0 ? pageCount : given;
  if (pageCount % repeatPages !== 0 || pageCount / repeatPages > MAX_REPEATS) return null;
  if (firstPage + repeatPages > allocation.data.pages.length) return null;
  const protection = Number(Protection);
  const { number } = allocation;
  return {
    ...NOTHING,
    span,
    state: "mapped",
    allocation: number,
    firstPage,
    repeatPages,
    protection,
    driverProtection,
  };
}

/** Zero or NoAccess, and just one of them; writing and executing mean nothing there. */
function unmapStep(space: AddressSpace, { BaseAddress, SizeInBytes, Protection }: Operation): Step | null {
  const span = spanOf(space, BaseAddress, SizeInBytes);
  const state = Protection & (Zero | NoAccess);
  const isKnown = (Protection & ~(Write | Execute | Zero | NoAccess)) === 0n;
  if (span === null || !isKnown || (state !== Zero && state !== NoAccess)) return null;
  return { ...NOTHING, span, state: state === Zero ? "zero" : "invalid" };
}

function copyStep(space: AddressSpace, { SourceAddress, DestAddress, SizeInBytes }: Operation): Step | null {
  const span = spanOf(space, DestAddress, SizeInBytes);
  const source = spanOf(space, SourceAddress, SizeInBytes);
  return span === null || source === null ? null : { ...NOTHING, span, source };
}

const NOTHING = {
  source: null,
  state: "invalid",
  allocation: 0,
  firstPage: 0,
  repeatPages: 0,
  protection: 0,
  driverProtection: null,
} as const;

/** Whole pages inside the space, at least one; else null. */
function spanOf(space: AddressSpace, base: bigint, sizeBytes: bigint): PageSpan | null {
  const start = pagesIn(base);
  const pageCount = pagesIn(sizeBytes);
  if (start < 0 || pageCount <= 0 || start + pageCount > space.pageLimit) return null;
  return { start, end: start + pageCount };
}
