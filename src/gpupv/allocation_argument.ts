// The argument of CreateAllocation as the user-mode library packs it: the structure, an array of allocations, and the private
// data of each behind that. It must not know who reads it.

import { DXG_STRUCTS } from "../api/mod.ts";
import { PRIVATE_DATA } from "./private_data.ts";
import { addressBehind, type Pointed, recordBytes, userAddressOf } from "./user_memory.ts";

const INFO = DXG_STRUCTS.AllocationInfo2;

/** One allocation to make. */
export interface AllocationWanted {
  /** A buffer of the guest, null or left out: new memory. */
  readonly pSystemMem?: number | null;
  /** Bytes; of existing memory, how much of it from its start. */
  readonly Size?: bigint | number;
  readonly Flags?: number;
}

/** What `pAllocationInfo2` points to. */
export function allocationList(wanted: readonly AllocationWanted[]): Pointed {
  const listBytes = wanted.length * INFO.bytes;
  const infos = wanted.map(({ pSystemMem, Flags = 0 }, index) => ({
    pSystemMem: userAddressOf(pSystemMem ?? 0),
    pPrivateDriverData: addressBehind(DXG_STRUCTS.CreateAllocation, listBytes + index * PRIVATE_DATA.bytes),
    PrivateDriverDataSize: PRIVATE_DATA.bytes,
    Flags,
  }));
  const privateData = wanted.map(({ pSystemMem, Size = 0 }) => ({
    size: BigInt(Size),
    address: userAddressOf(pSystemMem ?? 0),
  }));
  const bytes = new Uint8Array(listBytes + wanted.length * PRIVATE_DATA.bytes);
  bytes.set(recordBytes(INFO, infos));
  bytes.set(recordBytes(PRIVATE_DATA, privateData), listBytes);
  return { field: "pAllocationInfo2", bytes };
}
