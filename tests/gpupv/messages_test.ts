// Messages as bytes: the extended header from interface 40 on, the command header, sizes, and what is no message.

import fc from "fast-check";
import { decodeMessage, encodeMessage } from "../../src/gpupv/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";

const MAP = { hPagingQueue: 0x40000080, SizeInPages: 3n, Protection: 1n };

Deno.test("from interface 40 on the extended header stands in front, with the GPU's LUID", () => {
  const message = { name: "MapGpuVirtualAddress", process: 0x80, fields: { map: MAP, device: 0 } } as const;
  const old = encodeMessage(message, { interfaceVersion: 39, luid: 7n });
  const newer = encodeMessage(message, { interfaceVersion: 40, luid: 7n });
  assert(old !== null && newer !== null);
  assertEquals([old.length, newer.length], [136, 152]);
  assertEquals(newer.subarray(16), old);
  const view = new DataView(newer.buffer);
  assertEquals([view.getUint32(0, true), view.getBigUint64(8, true)], [16, 7n]);
  const header = new DataView(old.buffer);
  assertEquals([header.getBigUint64(0, true), header.getUint32(8, true)], [0n, 0x80]);
  assertEquals([header.getUint32(12, true), header.getUint32(16, true)], [0, 17]);
});

Deno.test("channel_type says whose message it is, and bit 8 that nobody waits", () => {
  const typeOf = (name: "CreateProcess" | "SubmitCommand", isAsync: boolean) => {
    const bytes = encodeMessage({ name, process: 1, fields: {}, isAsync }, { interfaceVersion: 27, luid: 1n });
    return new DataView((bytes ?? new Uint8Array(24)).buffer).getUint32(12, true);
  };
  assertEquals([typeOf("CreateProcess", false), typeOf("SubmitCommand", false), typeOf("SubmitCommand", true)], [
    1,
    0,
    0x100,
  ]);
});

Deno.test("what was encoded decodes to the same values, under either framing", () => {
  fc.assert(
    fc.property(
      fc.nat(0xffff),
      fc.array(fc.nat(0xffff_ffff), { maxLength: 20 }),
      fc.boolean(),
      (process, handles, isNew) => {
        const framing = { interfaceVersion: isNew ? 46 : 27, luid: 3n };
        const fields = { device: 5, resource: 6, count: handles.length, flags: 1, handles };
        const bytes = encodeMessage({ name: "DestroyAllocation", process, fields }, framing);
        assert(bytes !== null);
        const message = decodeMessage(bytes, framing);
        assertEquals([message?.name, message?.process, message?.luid], ["DestroyAllocation", process, isNew ? 3n : 0n]);
        assertEquals(message?.fields["handles"], handles);
      },
    ),
    { numRuns: 100, seed: 5 },
  );
});

Deno.test("a message above 128 KB is none, and a command that nobody knows neither", () => {
  const framing = { interfaceVersion: 46, luid: 1n };
  const update = (count: number) =>
    encodeMessage({
      name: "UpdateGpuVirtualAddress",
      process: 1,
      fields: { num_operations: count, operations: Array.from({ length: count }, () => ({})) },
    }, framing);
  assertEquals(update(2047)?.length, 16 + 56 + 2047 * 64);
  assertEquals(update(2048), null);
  const bytes = new Uint8Array(40);
  new DataView(bytes.buffer).setUint32(16, 63, true);
  assertEquals(decodeMessage(bytes, { interfaceVersion: 27, luid: 1n }), null);
});
