// One operation of an update as its 64 bytes: a type, and seven words that mean what the type says. Source: gpuva.md 2.1.
// It must not know who sends it.

import { SYMBOLS } from "../api/mod.ts";
import type { LayoutRecord } from "../wire/mod.ts";
import { u32, words } from "./record.ts";

const { UNMAP, COPY } = SYMBOLS.updateOperation;

/** An operation by the DDI's names; what its type does not have is 0. */
export interface UpdateOperation {
  readonly OperationType?: number;
  readonly BaseAddress?: bigint | number;
  readonly SizeInBytes?: bigint | number;
  readonly hAllocation?: number | null;
  readonly AllocationOffsetInBytes?: bigint | number;
  readonly AllocationSizeInBytes?: bigint | number;
  readonly Protection?: bigint | number;
  readonly DriverProtection?: bigint | number;
  readonly SourceAddress?: bigint | number;
  readonly DestAddress?: bigint | number;
}

/** The structure's fields. */
export function operationFields(operation: UpdateOperation): LayoutRecord {
  const { OperationType = 0, hAllocation } = operation;
  return { OperationType, words: wordsOf(OperationType, { ...operation, hAllocation: hAllocation ?? 0 }).map(big) };
}

function wordsOf(type: number, operation: UpdateOperation): (bigint | number | null | undefined)[] {
  const { BaseAddress, SizeInBytes, hAllocation, AllocationOffsetInBytes, AllocationSizeInBytes } = operation;
  const { Protection, DriverProtection, SourceAddress, DestAddress } = operation;
  if (type === COPY) return [SourceAddress, SizeInBytes, DestAddress];
  if (type === UNMAP) return [BaseAddress, SizeInBytes, Protection];
  const source = [AllocationOffsetInBytes, AllocationSizeInBytes];
  return [BaseAddress, SizeInBytes, hAllocation, ...source, Protection, DriverProtection];
}

function big(value: bigint | number | null | undefined): bigint {
  return BigInt(value ?? 0);
}

/** The operation that a structure's fields say. */
export function operationOf(record: LayoutRecord): UpdateOperation {
  const OperationType = u32(record, "OperationType");
  const [first = 0n, SizeInBytes = 0n, third = 0n, offset = 0n, size = 0n, protection = 0n, driver = 0n] = words(
    record,
    "words",
  );
  if (OperationType === COPY) return { OperationType, SourceAddress: first, SizeInBytes, DestAddress: third };
  if (OperationType === UNMAP) return { OperationType, BaseAddress: first, SizeInBytes, Protection: third };
  return {
    OperationType,
    BaseAddress: first,
    SizeInBytes,
    hAllocation: Number(third & 0xffff_ffffn),
    AllocationOffsetInBytes: offset,
    AllocationSizeInBytes: size,
    Protection: protection,
    DriverProtection: driver,
  };
}
