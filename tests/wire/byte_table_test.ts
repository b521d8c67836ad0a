// Bytes that are stored once: what is found again, what is not, and runs that point nowhere.

import { crc32 } from "node:zlib";
import fc from "fast-check";
import {
  ByteContents,
  ByteRunColumns,
  ByteRuns,
  ByteTable,
  NumberColumn,
  PlaneSink,
  PlaneSource,
  WireError,
  writeColumn,
} from "../../src/wire/mod.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";

/** Bytes that look like noise: a multiplicative sequence from a seed. */
function noise(length: number, seed: number): Uint8Array {
  let state = seed >>> 0;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

interface Put {
  readonly bytes: Uint8Array;
  /** Null: bytes of a value, else a delta that says this of its bytes. */
  readonly claimed: number | null;
}

/** Writes all, reads all: the bytes and the differences of their digests. */
function roundTrip(puts: readonly Put[], table = new ByteTable()): { read: Uint8Array[]; differences: number[] } {
  const columns = new ByteRunColumns(table);
  const differences = puts.map(({ bytes, claimed }) => {
    if (claimed === null) columns.append(bytes);
    return claimed === null ? 0 : columns.appendClaimed(bytes, claimed);
  });
  const sink = new PlaneSink();
  table.write(sink);
  columns.write(sink);
  const source = new PlaneSource(sink.heads.copy(), sink.pools.map((pool) => pool.copy()));
  const contents = new ByteContents(source, { count: table.size, parts: table.parts().map((part) => part.slice()) });
  const runs = new ByteRuns(source, { rows: puts.length, contents });
  source.expectEnd();
  return { read: puts.map((_, row) => runs.at(row)), differences };
}

function values(...all: readonly Uint8Array[]): Put[] {
  return all.map((bytes) => ({ bytes, claimed: null }));
}

function storedBy(puts: readonly Put[]): number {
  const table = new ByteTable();
  assertEquals(roundTrip(puts, table).read, puts.map(({ bytes }) => bytes));
  return table.storedBytes;
}

/** Few different ones, parts of each other, so that there is much to find; claims right, wrong and absent. */
const arbitraryPuts: fc.Arbitrary<Put[]> = fc.array(
  fc.record({
    seed: fc.nat(3),
    kind: fc.constantFrom("noise", "zero", "even"),
    from: fc.constantFrom(0, 1, 64, 100, 4096),
    length: fc.constantFrom(0, 1, 15, 16, 17, 63, 64, 65, 100, 4096, 8192),
    claim: fc.constantFrom("none", "right", "wrong"),
  }).map(({ seed, kind, from, length, claim }) => {
    const whole = kind === "noise"
      ? noise(12_288, seed)
      : kind === "zero"
      ? new Uint8Array(12_288)
      : new Uint8Array(12_288).fill(seed);
    const bytes = whole.subarray(from, from + length);
    return { bytes, claimed: claim === "none" ? null : claim === "right" ? crc32(bytes) : 7 };
  }),
  { maxLength: 30 },
);

Deno.test("ByteRuns gives back what ByteTable was given, and says how digests differ from true ones", () => {
  const table = new ByteTable();
  fc.assert(
    fc.property(arbitraryPuts, (puts) => {
      table.clear();
      const { read, differences } = roundTrip(puts, table);
      assertEquals(read, puts.map(({ bytes }) => bytes));
      for (const [index, { bytes, claimed }] of puts.entries()) {
        if (claimed !== null) assertEquals(((differences[index] ?? 0) ^ crc32(bytes)) >>> 0, claimed);
      }
      const different = new Set(puts.map(({ bytes }) => bytes.toHex()));
      const once = puts.filter(({ bytes }) => bytes.length >= 64 && different.delete(bytes.toHex()));
      const short = puts.filter(({ bytes }) => bytes.length < 64);
      const most = [...once, ...short].reduce((sum, { bytes }) => sum + bytes.length, 0);
      assert(table.storedBytes <= most, `${table.storedBytes} bytes stored of ${most} that differ`);
    }),
    { seed: 5, numRuns: 300 },
  );
});

Deno.test("ByteTable stores equal bytes once, and those of a write again in no delta of it", () => {
  const [one, other] = [noise(4096, 1), noise(4096, 2)];
  assertEquals(storedBy(values(one, other, one, other, one.slice())), 8192);
  const large = noise(10_000, 3);
  const deltas = [large.subarray(0, 3000), large.subarray(3000, 7096), large.subarray(7096)];
  assertEquals(storedBy(values(large, ...deltas, deltas[1]?.slice() ?? one)), 10_000);
  const small = noise(20, 4);
  assertEquals(storedBy(values(small, small.slice(), noise(20, 5))), 40);
});

Deno.test("ByteTable sees that an array was filled anew between two times that it was given", () => {
  const table = new ByteTable();
  const columns = new ByteRunColumns(table);
  const bytes = noise(4096, 1);
  columns.append(bytes);
  const before = table.content;
  bytes[4000] = (bytes[4000] ?? 0) ^ 1;
  columns.appendClaimed(bytes, crc32(bytes));
  assertEquals([table.content, table.storedBytes], [before + 1, 8192]);
});

Deno.test("ByteTable never takes bytes for others of the same checksum", () => {
  const table = new ByteTable();
  const columns = new ByteRunColumns(table);
  const [one, other] = [new Uint8Array(4096), forgeCrc(noise(4096, 9), crc32(new Uint8Array(4096)))];
  assertEquals(crc32(one), crc32(other));
  for (const bytes of [one, noise(64, 1), other, noise(64, 2), one]) columns.append(bytes);
  assertEquals(table.storedBytes, 3 * 4096 + 128, "the newest of a checksum is the one that is found");
});

/** The bytes with their last four changed so that their crc32 is the wanted one: it is linear in them. */
function forgeCrc(bytes: Uint8Array, wanted: number): Uint8Array {
  const forged = bytes.slice();
  const tail = new DataView(forged.buffer, forged.length - 4);
  tail.setUint32(0, 0);
  const base = crc32(forged);
  const basis = Array.from({ length: 32 }, (_, bit) => {
    tail.setUint32(0, 2 ** bit);
    return { bits: 2 ** bit, effect: (crc32(forged) ^ base) >>> 0 };
  });
  let rest = (wanted ^ base) >>> 0;
  let chosen = 0;
  for (let bit = 31; bit >= 0; bit -= 1) {
    const at = basis.findIndex(({ effect }) => 31 - Math.clz32(effect) === bit);
    const [pivot] = at < 0 ? [] : basis.splice(at, 1);
    if (pivot === undefined) continue;
    for (const [index, { bits, effect }] of basis.entries()) {
      const reduced = { bits: bits ^ pivot.bits, effect: (effect ^ pivot.effect) >>> 0 };
      if (31 - Math.clz32(effect) === bit) basis[index] = reduced;
    }
    if ((rest >>> bit & 1) === 0) continue;
    rest = (rest ^ pivot.effect) >>> 0;
    chosen ^= pivot.bits;
  }
  tail.setUint32(0, chosen >>> 0);
  return forged;
}

Deno.test("ByteTable puts what looks like noise apart, and nothing else", () => {
  const text = new TextEncoder().encode("the quick brown fox jumps over the lazy dog, again and again. ".repeat(60));
  const counters = new Uint8Array(Uint32Array.from({ length: 1024 }, (_, index) => 3 * index).buffer);
  const table = new ByteTable();
  for (const bytes of [noise(4096, 1), text, counters, new Uint8Array(4096), noise(40, 1)]) table.put(bytes);
  const [plain, raw] = table.parts();
  assertEquals([plain?.length, raw?.length], [text.length + 4096 + 4096 + 40, 4096]);
});

interface Forged {
  readonly lengths?: readonly number[];
  readonly kinds?: readonly number[];
  readonly parts?: readonly Uint8Array[];
  readonly runs?: readonly (readonly [content: number, start: number, rest: number])[];
}

/** 33 runs of one content of 4 MiB. */
function bomb(): Forged {
  const length = 2 ** 22;
  const runs = Array.from({ length: 33 }, () => [0, 0, 0] as const);
  return { lengths: [length], kinds: [0], parts: [new Uint8Array(length), new Uint8Array(0)], runs };
}

/** Reads contents of 5 and 3 bytes, a run of each, with what is given instead. */
function readForged({ lengths = [5, 3], kinds = [0, 1], parts, runs = [[0, 0, 0], [1, 1, 1]] }: Forged): Uint8Array[] {
  const sink = new PlaneSink();
  const column = (numbers: readonly number[]): void => {
    const written = new NumberColumn();
    for (const number of numbers) written.push(number);
    writeColumn(written, sink);
  };
  column(lengths);
  column(kinds);
  for (const member of [0, 1, 2]) column(runs.map((run) => run[member] ?? 0));
  const source = new PlaneSource(sink.heads.copy(), sink.pools.map((pool) => pool.copy()));
  const given = parts ?? [Uint8Array.of(1, 2, 3, 4, 5), Uint8Array.of(6, 7, 8)];
  const contents = new ByteContents(source, { count: lengths.length, parts: given });
  const read = new ByteRuns(source, { rows: runs.length, contents });
  return runs.map((_, row) => read.at(row));
}

Deno.test("forged contents and runs that lie outside them are refused when they are read", () => {
  assertEquals(readForged({}), [Uint8Array.of(1, 2, 3, 4, 5), Uint8Array.of(7)]);
  const lies: Readonly<Record<string, Forged>> = {
    "a content that is not there": { runs: [[2, 0, 0]] },
    "a far content": { runs: [[0xffffffff, 0, 0]] },
    "a start behind the end": { runs: [[0, 6, 0]] },
    "more following than there is": { runs: [[1, 2, 2]] },
    "both near 2^32": { runs: [[0, 0xffffffff, 0xffffffff]] },
    "a content longer than its part": { lengths: [6, 3] },
    "a content shorter than its part": { lengths: [4, 3] },
    "contents of 4 GiB": { lengths: [0xffffffff, 0xffffffff] },
    "a third kind of content": { kinds: [0, 2] },
    "no parts": { parts: [] },
    "a third part": { parts: [new Uint8Array(5), new Uint8Array(3), new Uint8Array(0)] },
    "more bytes than a walk may take": bomb(),
    "a run where there are no contents": { lengths: [], kinds: [], parts: [new Uint8Array(0), new Uint8Array(0)] },
  };
  for (const [name, lie] of Object.entries(lies)) assertThrows(() => readForged(lie), WireError, "Cannot", name);
});
