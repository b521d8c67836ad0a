// Private driver data: opaque to both graphics kernels, known to the user-mode driver in the guest and to the display driver
// on the host. What real ones put there is not documented; here it is what the model's calls say beyond the real structures.

import { layout, type LayoutRecord } from "../wire/mod.ts";
import { u32, u64 } from "./record.ts";

/**
 * One allocation: its size, and where in the program existing memory is. The host needs the place because the model makes an
 * allocation over memory all at once; a real one learns of the memory with message 45 or 66 (gpuva.md 5.7).
 */
export const PRIVATE_DATA = layout(16, "0 size u64; 8 address u64");

const ACCESS = layout(16, "0 address u64; 8 bytes u32; 12 access u32");

/** What commands touch, which a real command buffer says to the GPU alone. */
export interface Access {
  readonly VirtualAddress: bigint;
  readonly ByteCount: number;
  readonly Access: number;
}

/** What commands touch, as private data of a submission. */
export function accessBytes(accesses: readonly Access[]): Uint8Array {
  const bytes = new Uint8Array(accesses.length * ACCESS.bytes);
  for (const [index, { VirtualAddress, ByteCount, Access }] of accesses.entries()) {
    const record: LayoutRecord = { address: VirtualAddress, bytes: ByteCount, access: Access };
    bytes.set(ACCESS.encode(record), index * ACCESS.bytes);
  }
  return bytes;
}

/** What commands touch, from the private data of a submission; a part of an entry is left out. */
export function accessesIn(bytes: Uint8Array): Access[] {
  return Array.from({ length: Math.floor(bytes.length / ACCESS.bytes) }, (_, index) => {
    const record = ACCESS.decode(bytes.subarray(index * ACCESS.bytes));
    return {
      VirtualAddress: u64(record, "address"),
      ByteCount: u32(record, "bytes"),
      Access: u32(record, "access"),
    };
  });
}
