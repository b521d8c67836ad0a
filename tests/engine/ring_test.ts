// Rings: the documented layout byte for byte, wrapping, never full, and corruption.

import fc from "fast-check";
import {
  CONTROL_BYTES,
  freeBytes,
  initRing,
  packetBytes,
  readPacket,
  type Ring,
  RING_PACKET_TYPES,
  RingError,
  type RingPacket,
  usedBytes,
  writePacket,
} from "../../src/engine/ring.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

function ringOf(dataBytes = 4096): { readonly ring: Ring; readonly bytes: Uint8Array<ArrayBuffer> } {
  const bytes = new Uint8Array(CONTROL_BYTES + dataBytes);
  const ring = {
    dataBytes,
    memory: {
      word: (offset: number) => new DataView(bytes.buffer).getUint32(offset, true),
      read: (offset: number, length: number) => bytes.slice(offset, offset + length),
      write: (offset: number, data: Uint8Array) => bytes.set(data, offset),
    },
  };
  initRing(ring);
  return { ring, bytes };
}

function plain(payload: readonly number[], transactionId = 1n): RingPacket {
  const { inBand: type } = RING_PACKET_TYPES;
  return { type, wantsCompletion: true, transactionId, ranges: [], payload: Uint8Array.from(payload) };
}

Deno.test("a packet stands in a ring as documented: descriptor, payload to a multiple of 8, trailer", () => {
  const { ring, bytes } = ringOf();
  assertEquals(writePacket(ring, plain([1, 2, 3], 0x0102n)), true);
  assertEquals(
    [...bytes.subarray(CONTROL_BYTES, CONTROL_BYTES + 32)],
    [6, 0, 2, 0, 3, 0, 1, 0, 2, 1, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  );
  assertEquals([bytes[0], bytes[4], bytes[64]], [32, 0, 1], "in index, out index, feature bits");
  writePacket(ring, plain([9]));
  assertEquals(new DataView(bytes.buffer).getUint32(CONTROL_BYTES + 60, true), 32, "the trailer says where it began");
});

Deno.test("a packet with guest pages describes them between descriptor and payload", () => {
  const { ring, bytes } = ringOf();
  const ranges = [{ byteCount: 5000, byteOffset: 100, pages: [0x77, 0x88] }, {
    byteCount: 8,
    byteOffset: 0,
    pages: [1],
  }];
  const packet: RingPacket = { ...plain([1, 2, 3, 4, 5, 6, 7, 8]), type: RING_PACKET_TYPES.gpaDirect, ranges };
  assertEquals(packetBytes(packet), 16 + 8 + (8 + 16) + (8 + 8) + 8 + 8);
  writePacket(ring, packet);
  const view = new DataView(bytes.buffer, CONTROL_BYTES);
  assertEquals([view.getUint16(2, true), view.getUint32(20, true)], [8, 2], "data offset in words, ranges");
  assertEquals(readPacket(ring), packet);
});

Deno.test("a ring never fills: 8 bytes stay free, and the writer says what it waits for", () => {
  const { ring, bytes } = ringOf();
  assertEquals(freeBytes(ring), 4096 - 8);
  while (writePacket(ring, plain([1]))) { /* until it is full */ }
  assertEquals([usedBytes(ring), freeBytes(ring)], [4096 - 32, 24]);
  assertEquals(bytes[12], 32, "pending send size");
  readPacket(ring);
  assertEquals(writePacket(ring, plain([1])), true);
  assertEquals(bytes[12], 0);
  assertThrows(() => writePacket(ring, plain(new Array(4096).fill(0))), RangeError, "the ring takes 4080");
});

Deno.test("what goes in comes out in order, whatever the sizes and however often around", () => {
  const sizes = fc.array(fc.record({ size: fc.nat(700), reads: fc.nat(3) }), { minLength: 20, maxLength: 60 });
  fc.assert(
    fc.property(sizes, (steps) => {
      const { ring } = ringOf();
      const queued: RingPacket[] = [];
      for (const [index, { size, reads }] of steps.entries()) {
        const packet = plain(new Array(8 * Math.ceil(size / 8)).fill(index % 256), BigInt(index));
        if (writePacket(ring, packet)) queued.push(packet);
        for (let read = 0; read < reads; read += 1) assertEquals(readPacket(ring), queued.shift() ?? null);
        assertEquals(usedBytes(ring), queued.reduce((sum, each) => sum + packetBytes(each), 0));
      }
    }),
    { numRuns: 60, seed: 3 },
  );
});

Deno.test("a ring whose bytes make no sense is refused, and nothing is taken out of it", () => {
  const broken: readonly (readonly [at: number, value: number, message: string])[] = [
    [0, 4, "an index is 4"],
    [4, 4096, "an index is 4096"],
    [CONTROL_BYTES, 99, "type 99"],
    [CONTROL_BYTES + 2, 1, "data at 8"],
    [CONTROL_BYTES + 4, 200, "of 1600 bytes"],
    [CONTROL_BYTES + 6, 2, "flags 0x2"],
  ];
  for (const [at, value, message] of broken) {
    const { ring, bytes } = ringOf();
    writePacket(ring, plain([1, 2, 3]));
    new DataView(bytes.buffer).setUint16(at, value, true);
    const before = bytes.slice();
    assertThrows(() => readPacket(ring), RingError, message);
    assertEquals(bytes, before);
  }
});
