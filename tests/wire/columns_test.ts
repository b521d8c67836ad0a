// Columns of numbers and bytes, at their edges.

import fc from "fast-check";
import {
  ByteReader,
  ByteWriter,
  isUint64,
  MAX_CELLS,
  NumberColumn,
  PairTable,
  PlaneSink,
  PlaneSource,
  readBytes,
  readColumn,
  TupleTable,
  WireError,
  writeBytes,
  writeColumn,
} from "../../src/wire/mod.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";

const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

function sourceOf(sink: PlaneSink): PlaneSource {
  return new PlaneSource(sink.heads.copy(), sink.pools.map((pool) => pool.copy()));
}

function columnOf(values: readonly bigint[]): NumberColumn {
  const column = new NumberColumn();
  for (const value of values) column.pushBigint(value);
  return column;
}

function roundTrip(values: readonly bigint[]): bigint[] {
  const sink = new PlaneSink();
  writeColumn(columnOf(values), sink);
  const source = sourceOf(sink);
  const read = readColumn(source, values.length);
  source.expectEnd();
  return values.map((_, index) => read.bigintAt(index));
}

Deno.test("readColumn() gives back any numbers of 64 bits", () => {
  const values = fc.oneof(
    fc.array(u64),
    fc.array(fc.bigInt({ min: 0n, max: 300n })),
    fc.tuple(u64, fc.array(fc.bigInt({ min: -5n, max: 5n }))).map(([start, steps]) =>
      steps.map((step, index) => BigInt.asUintN(64, start + BigInt(index) * 0x10000n + step))
    ),
    fc.tuple(fc.nat(63), fc.array(u64)).map(([shift, list]) =>
      list.map((each) => BigInt.asUintN(64, each << BigInt(shift)))
    ),
  );
  fc.assert(fc.property(values, (list) => assertEquals(roundTrip(list), list)), { seed: 1, numRuns: 500 });
});

Deno.test("columns that are constant, counting or aligned take a few bytes", () => {
  const size = (values: readonly bigint[]): number => {
    const sink = new PlaneSink();
    writeColumn(columnOf(values), sink);
    return sink.heads.length + sink.pools.reduce((sum, pool) => sum + pool.length, 0);
  };
  const count = (make: (index: bigint) => bigint): bigint[] =>
    Array.from({ length: 1000 }, (_, index) => make(BigInt(index)));
  assert(size(count(() => 7n)) === 2);
  assert(size(count((index) => 5000n + 64n * index)) < 25);
  assert(size(count((index) => (index * 7919n % 251n) << 40n)) < 1020, "one plane for 8 bits of 48");
});

Deno.test("readColumn() keeps limits: values, cells, encodings, lengths", () => {
  const sink = new PlaneSink();
  writeColumn(columnOf([1n, 9n, 5n]), sink);
  assertThrows(() => readColumn(sourceOf(sink), 3, 9), WireError, "9 in row 1, wanted below 9");
  assertThrows(() => readColumn(sourceOf(sink), 4), WireError);
  const heads = (...bytes: number[]): PlaneSource => new PlaneSource(Uint8Array.from(bytes), []);
  assertThrows(() => readColumn(heads(9), 1), WireError, "no encoding 9");
  assertThrows(() => readColumn(heads(1, 0, 64, 1), 1), WireError, "shift 64");
  assertThrows(() => readColumn(heads(1, 0, 0, 1, 7), 1), WireError, "no pool 7");
  assertThrows(() => readColumn(heads(1, 0, 0, 0), MAX_CELLS + 1), WireError, "more than");
  assertEquals(readColumn(heads(0, 3), 2 ** 40).sum(), 3 * 2 ** 40);
});

Deno.test("readBytes() gives back bytes of either entropy", () => {
  const sink = new PlaneSink();
  const flat = Uint8Array.from({ length: 3000 }, (_, index) => index * 167 >> 2);
  for (const bytes of [flat, new Uint8Array(50), new Uint8Array(0)]) writeBytes(bytes, sink);
  const source = sourceOf(sink);
  assertEquals(readBytes(source, 3000), flat);
  assertEquals(readBytes(source, 50), new Uint8Array(50));
  assertEquals(readBytes(source, 0).length, 0);
  assertThrows(() => readBytes(source, 1), WireError);
});

Deno.test("varints come back, in as few bytes as they need", () => {
  fc.assert(
    fc.property(u64, (value) => {
      const writer = new ByteWriter();
      writer.varint(value);
      const reader = new ByteReader(writer.copy());
      assertEquals(reader.varint(), value);
      reader.expectEnd();
      assertEquals(writer.length, Math.max(1, Math.ceil(value.toString(2).length / 7)));
    }),
    { seed: 2 },
  );
  assertThrows(() => new ByteWriter().varint(-1), RangeError);
  assertThrows(() => new ByteReader(new Uint8Array(11).fill(0xff)).varint(), WireError, "longer than 64 bits");
  assertThrows(() => new ByteReader(Uint8Array.of(0x80)).varint(), WireError, "0 are left");
  assertThrows(() => new ByteReader(new Uint8Array(3)).bytes(4), WireError, "4 bytes more were wanted, 3 are left");
});

Deno.test("NumberColumn takes numbers of either width in any order", () => {
  const column = new NumberColumn();
  for (let index = 0; index < 100; index += 1) column.push(index);
  column.pushNumber(2 ** 40 + 3);
  column.push(-1);
  column.pushBigint(-1n);
  const { low, high, length } = column.view();
  assertEquals([length, low[100], high?.[100], high?.[99], low[101], high?.[101], high?.[102]], [
    103,
    3,
    256,
    0,
    0xffffffff,
    0,
    0xffffffff,
  ]);
});

Deno.test("TupleTable.intern() gives each tuple one index, in order of first sight", () => {
  const table = new TupleTable(2);
  const index = new Map<string, number>();
  fc.assert(
    fc.property(fc.nat(60), fc.nat(60), (left, right) => {
      const key = `${left},${right}`;
      if (!index.has(key)) index.set(key, index.size);
      assertEquals(table.intern(Uint32Array.of(left, right)), index.get(key));
      assertEquals(table.size, index.size);
    }),
    { seed: 5, numRuns: 2000 },
  );
  table.clear();
  assertEquals(table.intern(Uint32Array.of(1, 1)), 0);
});

Deno.test("PairTable.intern() gives each pair one index, in order of first sight, also beyond 32 bits", () => {
  const table = new PairTable();
  const index = new Map<string, number>();
  const number = fc.oneof(fc.nat(40), fc.nat(40).map((high) => high * 2 ** 32), fc.maxSafeNat());
  const check = fc.property(number, number, (first, second) => {
    const key = `${first},${second}`;
    if (!index.has(key)) index.set(key, index.size);
    const at = table.intern(first, second);
    assertEquals([at, table.size, table.first(at), table.second(at)], [index.get(key), index.size, first, second]);
  });
  fc.assert(check, { seed: 6, numRuns: 3000 });
  table.clear();
  assertEquals([table.intern(1, 1), table.intern(0, 0), table.intern(1, 1)], [0, 1, 0]);
});

Deno.test("PairTable.intern() tells pairs apart that lie on its line, beside it and beyond 32 bits", () => {
  for (const step of [1, 4, 0x40]) {
    const table = new PairTable(step);
    const pairs: [number, number][] = [];
    for (let first = 0; first < 500; first += 1) {
      for (const second of [7 + step * first, 8 + step * first, 7 + step * first + 2 ** 32]) {
        pairs.push([first, second]);
      }
      pairs.push([first + 2 ** 40, 7 + step * first]);
    }
    const indexes = pairs.map((_, index) => index);
    assertEquals(pairs.map(([first, second]) => table.intern(first, second)), indexes);
    assertEquals(pairs.map(([first, second]) => table.intern(first, second)), indexes);
  }
});

Deno.test("PairTable.forgetNewest() leaves the table as it was before its newest pair", () => {
  const number = fc.nat(5).map((value) => value * 2 ** 32);
  const check = fc.property(fc.array(fc.tuple(number, number, fc.boolean()), { maxLength: 400 }), (pairs) => {
    const table = new PairTable();
    const kept: string[] = [];
    for (const [first, second, isKept] of pairs) {
      const known = kept.indexOf(`${first},${second}`);
      assertEquals(table.intern(first, second), known < 0 ? kept.length : known);
      if (known >= 0) continue;
      if (isKept) kept.push(`${first},${second}`);
      else table.forgetNewest();
      assertEquals(table.size, kept.length);
    }
  });
  fc.assert(check, { seed: 11, numRuns: 50 });
  new PairTable().forgetNewest();
});

Deno.test("NumberColumn.pop() takes back the last number, its high half and its padding", () => {
  const numbers = fc.oneof(u64, fc.bigInt({ min: 0n, max: 9n }));
  const check = fc.property(fc.nat(3), fc.array(fc.tuple(numbers, fc.boolean())), (padding, steps) => {
    const column = new NumberColumn();
    const kept: bigint[] = new Array<bigint>(padding).fill(0n);
    column.padTo(padding);
    for (const [value, isKept] of steps) {
      column.pushBigint(value);
      assertEquals(column.last, Number(value & 0xffffffffn));
      if (isKept) kept.push(value);
      else column.pop();
    }
    for (let index = 0; index < 2; index += 1) {
      column.pop();
      kept.pop();
    }
    assertEquals([column.length, column.last], [kept.length, Number((kept.at(-1) ?? 0n) & 0xffffffffn)]);
    const sink = new PlaneSink();
    writeColumn(column, sink);
    const read = readColumn(sourceOf(sink), kept.length);
    assertEquals(kept.map((_, index) => read.bigintAt(index)), kept);
  });
  fc.assert(check, { seed: 12, numRuns: 200 });
});

Deno.test("NumberColumn starts over with clear(), high halves too, and pads with zeros", () => {
  const column = new NumberColumn();
  for (let index = 0; index < 100; index += 1) column.pushBigint(2n ** 64n - 1n);
  column.clear();
  column.push(1);
  assertEquals(column.view().high, null);
  column.padTo(3);
  column.padTo(2);
  column.pushBigint(5n << 32n);
  column.padTo(300);
  const { low, high, length } = column.view();
  assertEquals(length, 300);
  assertEquals([...low.subarray(0, 300)], [1, ...new Array<number>(299).fill(0)]);
  assertEquals([...high?.subarray(0, 300) ?? []], [0, 0, 0, 5, ...new Array<number>(296).fill(0)]);
});

Deno.test("isUint64() tells 64 bits from more and less", () => {
  assertEquals([0n, 2n ** 64n - 1n, -1n, 2n ** 64n, 2n ** 128n].map(isUint64), [true, true, false, false, false]);
});
