// Columns of declared types: what goes in comes out, for every plan of the catalogue.

import fc from "fast-check";
import {
  CallColumns,
  type CallPlan,
  CallRows,
  CATALOGUE,
  compilePlan,
  defaultValue,
  type Interned,
  type Interning,
  isRef,
  type Ref,
  type Value,
  valueTrouble,
  valueWeight,
} from "../../src/api/mod.ts";
import { ByteContents, ByteTable, PlaneSink, PlaneSource } from "../../src/wire/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { arbitraryValue } from "../support/sample_events.ts";

/** Interns into lists, every object anew. */
function tables(): { readonly interning: Interning; readonly interned: Omit<Interned, "contents"> } {
  const texts: string[] = [];
  const refs: Ref[] = [];
  const interning = {
    text: (text: string) => texts.push(text) - 1,
    objects: (kind: Ref["kind"]) => ({
      get size() {
        return refs.length;
      },
      placeOf: (number: number, handle: number) => refs.push({ kind, number, handle }) - 1,
      forgetNewest: () => void refs.pop(),
    }),
    bytes: new ByteTable(),
  };
  const none = { kind: "mdl", number: 0, handle: 0 } as const;
  let read = 0;
  const indexOf = (code: number): number => code === 0 ? read++ : read - code;
  const at = (index: number): Ref => refs[index] ?? none;
  const objects = {
    indexOf,
    at,
    numberAt: (index: number) => at(index).number,
    handleAt: (index: number) => at(index).handle,
  };
  const interned = { texts, objects: () => objects };
  return { interning, interned };
}

const PLAN = compilePlan({ name: "Everything", level: "wire", isCallback: false }, {
  id: 9999,
  endpoint: "machine",
  doc: "Every storage, in and out.",
  params: {
    A: "in u8",
    B: "in u16",
    C: "inout u32",
    D: "in i32",
    E: "inout u64",
    F: "in i64",
    G: "in bool",
    H: "in function",
    I: "inout text",
    J: "in guid",
    K: "inout bytes",
    L: "in? gpadl",
    M: "in gpadl[]",
    N: "inout D3DDDI_ALLOCATIONINFO2[]",
    O: "in bytes[]",
    P: "out mdl",
  },
  returns: "u64",
});

Deno.test("CallRows gives back rows of every storage, whole, in part and none", () => {
  const row = fc.record({
    ins: fc.tuple(...PLAN.ins.map((param) => arbitraryValue(param, "in"))),
    outs: fc.tuple(...PLAN.outs.map((param) => arbitraryValue(param, "out"))),
    kept: fc.nat(PLAN.outs.length),
    returned: fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { nil: null }),
  });
  fc.assert(
    fc.property(fc.array(row, { maxLength: 12 }), (rows) => {
      const { interning, interned } = tables();
      const columns = new CallColumns(PLAN, interning);
      for (const { ins, outs, kept, returned } of rows) {
        const outcome = returned === null ? null : { form: "value", value: returned } as const;
        assert(columns.accepts(ins, outs.slice(0, kept), outcome));
        assert(columns.append(ins, outs.slice(0, kept), outcome));
      }
      const sink = new PlaneSink();
      const { bytes } = interning;
      bytes.write(sink);
      columns.write(sink);
      const source = new PlaneSource(sink.heads.copy(), sink.pools.map((pool) => pool.copy()));
      const counts = {
        ins: PLAN.ins.map(() => rows.length),
        outs: PLAN.outs.map((_, index) => rows.filter(({ kept }) => kept > index).length),
        returned: rows.filter(({ returned }) => returned !== null).length,
      };
      const contents = new ByteContents(source, { count: bytes.size, parts: bytes.parts() });
      const read = new CallRows(PLAN, counts, { source, interned: { ...interned, contents } });
      source.expectEnd();
      for (const { ins, outs, kept, returned } of rows) {
        read.step(ins.length, kept, returned !== null);
        ins.forEach((value, place) => {
          assertEquals(read.in(place), value);
          assertEquals(read.inObject(place), isRef(value) ? value.number : -1);
          const isNumber = typeof value === "number" || typeof value === "bigint";
          assertEquals(read.inNumber(place), isNumber ? Number(value) : 0);
        });
        assertEquals(read.ins(ins.length), ins);
        outs.slice(0, kept).forEach((value, place) => assertEquals(read.out(place), value));
        assertEquals(read.outs(kept), outs.slice(0, kept));
        if (returned !== null) assertEquals(read.returned(), returned);
      }
    }),
    { seed: 7, numRuns: 150 },
  );
});

Deno.test("valueTrouble() takes every value that the arbitraries make, for every declared parameter", () => {
  for (const plan of CATALOGUE) {
    for (const param of plan.params) {
      for (const value of fc.sample(arbitraryValue(param, "in"), { numRuns: 2, seed: 8 })) {
        assertEquals(valueTrouble(param, value, "in"), null);
      }
    }
  }
});

const ODD = fc.oneof(
  fc.constantFrom<Value>(
    null,
    true,
    -0,
    0.5,
    NaN,
    255,
    256,
    -(2 ** 31),
    2 ** 31,
    2 ** 32,
    2 ** 53,
    -1n,
    2n ** 63n,
    2n ** 64n,
  ),
  fc.constantFrom<Value>("", "x", new Uint8Array(1), [], [1], {}, { kind: "gpadl", number: 1, handle: 2 ** 40 }),
  fc.constantFrom<Value>({ kind: "gpadl", number: -1, handle: 0 }, { kind: "mdl", number: 1, handle: 0.5 }),
);

/** Rows of a plan's in parameters of which one may be anything. */
function oddRows(plan: CallPlan): fc.Arbitrary<Value[]> {
  return fc.tuple(
    fc.tuple(...plan.ins.map((param) => arbitraryValue(param, "in"))),
    fc.nat(plan.ins.length - 1),
    ODD,
  ).map(([ins, at, value]) => ins.with(at, value));
}

function fits(plan: CallPlan, ins: readonly Value[]): boolean {
  return plan.ins.every((param, index) => valueTrouble(param, ins[index], "in") === null);
}

Deno.test("CallColumns.accepts() takes just the values that valueTrouble() has nothing against", () => {
  const { interning } = tables();
  const columns = new CallColumns(PLAN, interning);
  const check = fc.property(oddRows(PLAN), (ins) => assertEquals(columns.accepts(ins, [], null), fits(PLAN, ins)));
  fc.assert(check, { seed: 9, numRuns: 300 });
  const ins = PLAN.ins.map((param) => defaultValue(param));
  assertEquals(columns.accepts([...ins, 0], [], null), false, "one value too many");
  assertEquals(columns.accepts(ins, [], { form: "value", value: 5 }), false, "a number for 64 bits");
  assertEquals(columns.accepts(ins, [], { form: "value", value: 5n }), true);
});

const NARROW = compilePlan({ name: "Narrow", level: "wire", isCallback: false }, {
  ...PLAN.declaration,
  params: {
    A: "in u8",
    B: "in u16",
    C: "inout u32",
    D: "in i32",
    E: "inout u64",
    F: "in i64",
    G: "in bool",
    H: "in function",
    L: "in? gpadl",
    M: "in? gpadl",
    P: "out mdl",
  },
});

/** What a chunk would hold of the columns, and what was interned. */
function written(columns: CallColumns, { bytes, objects }: Interning): readonly unknown[] {
  const sink = new PlaneSink();
  bytes.write(sink);
  columns.write(sink);
  return [sink.heads.copy(), ...sink.pools.map((pool) => pool.copy()), objects("gpadl").size];
}

Deno.test("CallColumns.append() takes just the values that valueTrouble() has nothing against, or leaves nothing", () => {
  const check = fc.property(fc.array(oddRows(NARROW), { maxLength: 8 }), (rows) => {
    const [all, fitting] = [tables(), tables()];
    const columns = new CallColumns(NARROW, all.interning);
    const others = new CallColumns(NARROW, fitting.interning);
    assertEquals(columns.isWide, false);
    for (const ins of rows) {
      assertEquals(columns.append(ins, [], null), fits(NARROW, ins));
      if (fits(NARROW, ins)) others.append(ins, [], null);
    }
    assertEquals(written(columns, all.interning), written(others, fitting.interning));
  });
  fc.assert(check, { seed: 10, numRuns: 300 });
});

Deno.test("CallColumns.append() takes a row back whose out parameter or returned value does not fit", () => {
  const { interning } = tables();
  const columns = new CallColumns(NARROW, interning);
  const before = written(columns, interning);
  const ins = NARROW.ins.map((param) => defaultValue(param)).with(-1, { kind: "gpadl", number: 5, handle: 9 });
  const mdl = { kind: "mdl", number: 1, handle: 2 } as const;
  assertEquals(columns.append(ins, [1, 1n, { ...mdl, kind: "gpadl" }], null), false);
  assertEquals(columns.append(ins, [1, 1n, mdl], { form: "value", value: 1 }), false);
  assertEquals(columns.append(ins, [1, 1n, mdl, 4], null), false);
  assertEquals(columns.append(ins, [1, 1n, 2 ** 52], { form: "value", value: 1 }), false);
  assertEquals(written(columns, interning), before);
  assertEquals(columns.append(ins, [1, 1n, mdl], { form: "value", value: 1n }), true);
});

Deno.test("CallColumns.append() takes an object by what it is: each time by a reference of its own, as by one", () => {
  const [own, one] = [tables(), tables()];
  const columns = new CallColumns(NARROW, own.interning);
  const others = new CallColumns(NARROW, one.interning);
  const refs = [5, 6, 7].map((number) => ({ kind: "gpadl", number, handle: 8 * (number % 2) }) as const);
  for (const turn of [0, 0, 1, 1, 0, 2, 2, 1]) {
    const ref = refs[turn] ?? null;
    const ins = NARROW.ins.map((param) => param.kind === null ? defaultValue(param) : null);
    assertEquals(columns.append(ins.with(-1, ref === null ? null : { ...ref }), [], null), true);
    assertEquals(others.append(ins.with(-1, ref), [], null), true);
  }
  assertEquals(written(columns, own.interning), written(others, one.interning));
  // These tables give a place whenever they are asked: they are asked where the object is another than before.
  assertEquals(own.interning.objects("gpadl").size, 5);
});

Deno.test("CallColumns.append() forgets with a row that it takes back the object that it took last", () => {
  const { interning } = tables();
  const columns = new CallColumns(NARROW, interning);
  const plain = NARROW.ins.map((param) => param.kind === null ? defaultValue(param) : null);
  const ins = plain.with(-1, { kind: "gpadl", number: 5, handle: 9 });
  const refused = [1, 1n, { kind: "gpadl", number: 1, handle: 2 }] as const;
  assertEquals(columns.append(ins, [...refused], null), false);
  assertEquals(interning.objects("gpadl").size, 0);
  assertEquals(columns.append(ins, [], null), true);
  assertEquals(interning.objects("gpadl").size, 1);
});

Deno.test("valueTrouble() says what a value is and what was wanted", () => {
  const trouble = (name: string, value: Value): string | null => {
    const param = PLAN.ins.find((each) => each.name === name);
    assert(param !== undefined);
    return valueTrouble(param, value, "in");
  };
  assertEquals(trouble("A", 256), "A is 256, wanted a whole number (u8)");
  assertEquals(trouble("D", 2 ** 31), "D is 2147483648, wanted a whole number (i32)");
  assertEquals(trouble("E", 5), "E is 5, wanted a bigint (u64)");
  assertEquals(trouble("E", 2n ** 64n), "E is 18446744073709551616, wanted a bigint (u64)");
  assertEquals(trouble("F", -(2n ** 63n)), null);
  assertEquals(trouble("G", 1), "G is 1, wanted true or false (bool)");
  assertEquals(
    trouble("L", { kind: "mdl", number: 1, handle: 1 }),
    "L is an object, wanted a gpadl, a raw handle value or null (gpadl)",
  );
  assertEquals(trouble("M", null), "M is null, wanted an array (gpadl)");
  assertEquals(trouble("N", [{ pSystemMem: null, Size: 1n }]), "N.Flags is missing");
  assertEquals(
    trouble("N", [{ pSystemMem: null, Size: 1n, Flags: 0, X: 1 }]),
    "N has members that its structure lacks: pSystemMem,Size,Flags,X",
  );
});

Deno.test("valueWeight() grows with bytes, letters and elements", () => {
  assertEquals([valueWeight(1), valueWeight("ab"), valueWeight(new Uint8Array(10)), valueWeight([1n, 2n])], [
    8,
    14,
    18,
    24,
  ]);
  assertEquals(valueWeight({ kind: "mdl", number: 1, handle: 2 }), 8);
  assertEquals(valueWeight({ a: 1, b: [] }), 24);
});
