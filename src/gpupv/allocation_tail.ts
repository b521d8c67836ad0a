// The variable end of message 4: an entry for each allocation, then the private data of each. Source: gpuva.md 5.4.
// It must not know who writes or reads it.

import { ALLOCATION_ENTRY } from "../api/mod.ts";
import type { LayoutRecord } from "../wire/mod.ts";
import { u32 } from "./record.ts";

/** Bytes of one allocation in the reply. */
export const REPLY_ENTRY_BYTES = 72;

/** Entries and private data, one after the other. */
export function packTail(infos: readonly LayoutRecord[], privateData: readonly Uint8Array[]): Uint8Array {
  const entries = infos.map((info, index) =>
    ALLOCATION_ENTRY.encode({
      flags: u32(info, "Flags"),
      priv_data_size: privateData[index]?.length ?? 0,
      vidpn_source: u32(info, "VidPnSourceId"),
    })
  );
  return joined([...entries, ...privateData]);
}

/** The private data of each allocation, or null: the tail is too short. */
export function privateDataIn(tail: Uint8Array, count: number): Uint8Array[] | null {
  let at = count * ALLOCATION_ENTRY.bytes;
  if (at > tail.length) return null;
  const found: Uint8Array[] = [];
  for (let index = 0; index < count; index += 1) {
    const size = u32(ALLOCATION_ENTRY.decode(tail.subarray(index * ALLOCATION_ENTRY.bytes)), "priv_data_size");
    if (at + size > tail.length) return null;
    found.push(tail.subarray(at, at + size));
    at += size;
  }
  return found;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
