// Rings read a second time, byte by byte: that indexes are in range, and that the bytes between them are whole packets.
// It shares no code with the engine's rings: a mistake there must not be repeated here (layout: kmcl.md 6.3).

import { PAGE_BYTES } from "../../src/api/mod.ts";
import type { EngineObject, World } from "../../src/engine/mod.ts";

/** Guest pages that hold what nobody but the rings' writers may have written. */
interface Place {
  readonly world: World;
  readonly channels: readonly EngineObject<"channel">[];
  readonly tampered: ReadonlySet<number>;
}

/** Every ring of every connection holds whole packets between its indexes. */
export function ringsHoldPackets({ world, channels, tampered }: Place): string | null {
  const seen = new Set<number>();
  for (const { number, data: { connection, transport: { rings, isBroken } } } of channels) {
    if (rings === null || isBroken || seen.has(connection)) continue;
    seen.add(connection);
    for (const [name, pages] of Object.entries(rings)) {
      if (pages.some((page: number) => tampered.has(page))) continue;
      const trouble = ringTrouble(world, pages);
      if (trouble !== null) return `ring ${name} of channel#${number}: ${trouble}`;
    }
  }
  return null;
}

function ringTrouble(world: World, pages: readonly number[]): string | null {
  const size = (pages.length - 1) * PAGE_BYTES;
  const control = readRing(world, pages, { at: -PAGE_BYTES, length: 8, size });
  const [end, start] = [control.getUint32(0, true), control.getUint32(4, true)];
  if (end % 8 !== 0 || start % 8 !== 0 || end >= size || start >= size) return `indexes ${start} and ${end} of ${size}`;
  let at = start;
  for (let left = (end - start + size) % size; left > 0;) {
    const descriptor = readRing(world, pages, { at, length: 16, size });
    const bytes = 8 * descriptor.getUint16(4, true);
    const data = 8 * descriptor.getUint16(2, true);
    if (bytes + 8 > left || data < 16 || data > bytes) {
      return `a packet at ${at} of ${bytes} bytes, data at ${data}, where ${left} are left`;
    }
    const trailer = readRing(world, pages, { at: (at + bytes) % size, length: 8, size });
    if (trailer.getUint32(4, true) !== at) return `the trailer at ${(at + bytes) % size} does not say ${at}`;
    at = (at + bytes + 8) % size;
    left -= bytes + 8;
  }
  return null;
}

/** `at`: from the first data byte; the control page stands before it. All is in units of 8 bytes, so none crosses a page. */
function readRing(
  world: World,
  pages: readonly number[],
  { at, length, size }: { readonly at: number; readonly length: number; readonly size: number },
): DataView {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; done += 8) {
    const place = at < 0 ? at + done + PAGE_BYTES : (at + done) % size + PAGE_BYTES;
    const page = pages[Math.floor(place / PAGE_BYTES)] ?? 0;
    bytes.set(world.memory.read({ partition: "guest", page, offset: place % PAGE_BYTES }, 8), done);
  }
  return new DataView(bytes.buffer);
}
