// Maps and frees that are told to break nothing by numbers alone, against what looks at them closely.
import fc from "fast-check";
import { findPlan, type Outcome, type Value } from "../../src/api/mod.ts";
import { breachesOf, requestOf } from "../../src/audit/gpu_va_arguments.ts";
import { plainRange } from "../../src/audit/gpu_va_plain.ts";
import { JoinedCall } from "../../src/audit/join.ts";
import { KeptEvent } from "../../src/trace/mod.ts";
import { assertEquals } from "../support/assert.ts";
import { ref } from "../support/events.ts";
import { sampleEvent } from "../support/sample_events.ts";

const PAGE = 4096n;
const VA_BITS = 40;

/** A 64-bit value: mostly one that pages have, sometimes an odd or a huge one. */
const bytes = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0n) },
  { weight: 6, arbitrary: fc.bigInt(0n, 64n).map((pages) => pages * PAGE) },
  { weight: 1, arbitrary: fc.bigInt(0n, 1n << 20n) },
  { weight: 1, arbitrary: fc.bigInt(0n, (1n << 64n) - 1n) },
);
const few = fc.oneof({ weight: 9, arbitrary: fc.bigInt(0n, 20n) }, { weight: 1, arbitrary: bytes });

const values: Readonly<Record<string, fc.Arbitrary<Value>>> = {
  gpuVaBase: bytes,
  gpuVaMinimum: bytes,
  gpuVaMaximum: bytes,
  byteSize: bytes,
  pageOffset: few,
  pageCount: few,
  protection: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(0n, 1n, 3n) },
    { weight: 1, arbitrary: fc.bigInt(0n, (1n << 64n) - 1n) },
    { weight: 2, arbitrary: fc.bigInt(0n, 255n) },
  ),
  driverProtection: fc.oneof(fc.constantFrom(0n, 7n), fc.bigInt(0n, (1n << 64n) - 1n)),
  reserved: fc.oneof({ weight: 20, arbitrary: fc.constant(0n) }, { weight: 1, arbitrary: few }),
  allocation: fc.constantFrom<Value>(ref("allocation", 1), ref("allocation", 2), ref("allocation", 1), null, 77),
  pagingQueue: fc.constant(ref("pagingQueue", 1)),
  adapter: fc.constant(ref("adapter", 1)),
};

/** A call of the name, with an answer at its base, or somewhere. */
function arbitraryCall(name: string): fc.Arbitrary<JoinedCall> {
  const plan = findPlan(name);
  if (plan === undefined) throw new RangeError(name);
  const ins = fc.tuple(...plan.ins.map(({ word }) => values[word] ?? fc.constant<Value>(0n)));
  const base = plan.ins.findIndex(({ word }) => word === "gpuVaBase");
  const status = fc.constantFrom(0, 0, 0x103, 0xC000000D);
  return fc.tuple(ins, bytes, fc.boolean(), status).map(([given, other, isAtBase, each]) => {
    const answer = isAtBase && given[base] !== 0n ? given[base] ?? 0n : other;
    const outs = plan.outs.map(({ word }): Value => word === "gpuVa" ? answer : 0n);
    const outcome: Outcome = { form: "status", status: each };
    const event = sampleEvent(1, {
      kind: "call",
      plan,
      side: "umd",
      ins: given,
      outs: each > 0x7fffffff ? [] : outs,
      outcome,
    });
    const call = new JoinedCall(new KeptEvent(event), plan, 0);
    call.answer(new KeptEvent(event));
    return call;
  });
}

const NAMES = ["D3DKMTMapGpuVirtualAddress", "D3DKMTFreeGpuVirtualAddress", "D3DKMTReserveGpuVirtualAddress"];

Deno.test("a range that plainRange() knows breaks nothing, and is the one that a close look finds", () => {
  let known = 0;
  const pages = new Map([[1, 24]]);
  for (const name of NAMES) {
    fc.assert(
      fc.property(arbitraryCall(name), (call) => {
        const limit = 2 ** VA_BITS;
        const plain = plainRange(call, { limit, pagesOf: (allocation) => pages.get(allocation) });
        if (plain === null) return;
        known += 1;
        const allocation = pages.get(call.objectNumberAt(call.shape.at.allocation));
        const facts = {
          allocationPages: allocation === undefined ? undefined : BigInt(allocation),
          isSizeZeroWhole: true,
          vaBits: VA_BITS,
          limit: BigInt(limit),
          isLenient: false,
          driverUnit: PAGE,
        };
        const request = requestOf(call, facts);
        if (request === null) throw new RangeError("no request");
        assertEquals(breachesOf(call, request, facts), []);
        const { verb, base, answered, sizeBytes, offsetInPages, driverProtection } = request;
        const place = answered ?? (verb === "map" && base === 0n ? null : base);
        assertEquals(plain, {
          verb: verb === "map" ? "map" : "free",
          start: place === null ? -1 : Number(place / PAGE),
          pageCount: Number(sizeBytes / PAGE),
          firstPage: Number(offsetInPages),
          driverProtection: Number(driverProtection),
          isAnswered: answered !== null,
        });
        assertEquals([request.isUnbacked, verb], [false, plain.verb]);
      }),
      { seed: 4, numRuns: 3000 },
    );
  }
  // Not many of these are plain, but enough to tell.
  assertEquals(known > 500, true);
});
