// What is written value by value is what other MessagePack libraries read.
import { decode } from "@msgpack/msgpack";
import { MessagePackWriter, pack, unpack } from "../../src/wire/mod.ts";
import { assertEquals } from "../support/assert.ts";

function written(write: (writer: MessagePackWriter) => void): Uint8Array {
  const writer = new MessagePackWriter();
  write(writer);
  return writer.view();
}

Deno.test("MessagePackWriter writes numbers of every width as `pack` does, and others read them", () => {
  const powers = [5, 7, 8, 15, 16, 31, 32, 40, 53].map((bits) => 2 ** bits);
  const near = powers.flatMap((power) => [power - 1, power, power + 1]);
  for (const number of [0, -0, 0.5, -1e300, ...near, ...near.map((each) => -each)]) {
    const bytes = written((writer) => writer.number(number));
    assertEquals([decode(bytes), unpack(bytes)], [number, number]);
    const isPlain = Number.isInteger(number) && Math.abs(number) < 2 ** 31 && !Object.is(number, -0);
    if (isPlain) assertEquals(bytes, pack(number), String(number));
  }
});

Deno.test("MessagePackWriter writes integers of 64 bits in nine bytes", () => {
  for (const integer of [0n, 1n, -1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n)]) {
    const bytes = written((writer) => writer.bigint(integer));
    assertEquals([bytes.length, decode(bytes, { useBigInt64: true })], [9, integer]);
  }
});

Deno.test("MessagePackWriter writes texts, bytes, arrays and maps of every size of head", () => {
  for (const length of [0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536]) {
    const text = "é".repeat(length / 2) + "a".repeat(length % 2);
    const bytes = new Uint8Array(length).fill(7);
    assertEquals(decode(written((writer) => writer.text(text))), text);
    assertEquals(decode(written((writer) => writer.binary(bytes))), bytes);
    const array = written((writer) => {
      writer.array(length);
      for (let index = 0; index < length; index += 1) writer.flag(index % 2 === 0);
    });
    assertEquals(decode(array), Array.from({ length }, (_, index) => index % 2 === 0));
    const map = written((writer) => {
      writer.map(length);
      for (let index = 0; index < length; index += 1) {
        writer.text(`k${index}`);
        writer.nil();
      }
    });
    assertEquals(unpack(map), new Map(Array.from({ length }, (_, index) => [`k${index}`, null])));
  }
});
