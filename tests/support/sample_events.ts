// Events for tests of the trace format: a header, values of any declared type, events over the whole catalogue.
// It knows no byte of the format.

import { crc32 } from "node:zlib";
import fc from "fast-check";
import { blockStarts } from "./trace_blocks.ts";
import {
  type CallPlan,
  CATALOGUE,
  defaultOptions,
  membersOf,
  type ParamPlan,
  planOf,
  type Value,
  type Way,
} from "../../src/api/mod.ts";
import {
  BytesSink,
  type EventKind,
  type TraceEnd,
  type TraceEvent,
  type TraceHeader,
  TraceWriter,
  type TraceWriterOptions,
} from "../../src/trace/mod.ts";

/** A header with something in every field. */
export function sampleHeader(changes: Partial<TraceHeader> = {}): TraceHeader {
  return {
    tool: "maptrail",
    toolVersion: "0.1.0",
    maker: "engine",
    engineVersion: 1,
    options: defaultOptions(),
    program: { name: "sample.ts", kind: "module", args: ["--fast"] },
    seed: 7,
    sites: "creating",
    memory: "full",
    wallClock: false,
    startedAt: "",
    capabilities: [],
    losses: [],
    startsAfter: 0,
    leftOut: [],
    selection: null,
    ...changes,
  };
}

/** A note, with what is given instead. */
export function sampleEvent(event: number, changes: Partial<TraceEvent> = {}): TraceEvent {
  return {
    event,
    kind: "note",
    plan: null,
    side: "machine",
    actor: "main",
    level: "machine",
    cause: 0,
    of: 0,
    timeNs: BigInt(event) * 100n,
    wallNs: 0,
    site: null,
    ins: [],
    outs: [],
    outcome: null,
    memory: null,
    text: "",
    ...changes,
  };
}

/** A story of a few calls, over and over: GPADLs made, mapped, written through, unmapped, deleted. */
export function sampleStory(rounds: number): TraceEvent[] {
  return Array.from({ length: rounds }, (_, round) => sampleRound(round)).flat();
}

function sampleRound(round: number): TraceEvent[] {
  const first = 1 + 4 * round;
  const channel = { kind: "channel", number: 1, handle: 0x80001000 } as const;
  const gpadl = { kind: "gpadl", number: round + 1, handle: 0xe1e10 + round } as const;
  const mdl = { kind: "mdl", number: round + 2, handle: 0x80002000 + 0x40 * round } as const;
  const site = { file: "sample.ts", line: 10 + (round % 3), column: 5, function: "share" };
  const success = { form: "status", status: 0 } as const;
  const map = planOf("VmbChannelMapGpadl");
  const remove = planOf("VmbChannelDeleteGpadl");
  const bytes = Uint8Array.of(round, round >> 8, 3);
  return [
    sampleEvent(first, {
      kind: "call",
      plan: map,
      side: "server",
      level: "kmcl",
      site,
      outcome: success,
      ins: [channel, round % 2, gpadl],
      outs: [mdl],
    }),
    sampleEvent(first + 1, {
      kind: "memory",
      level: "machine",
      cause: first,
      memory: { partition: "guest", page: 256 + round, offset: 8, length: 3, digest: 0xdeadbeef, bytes },
    }),
    sampleEvent(first + 2, { kind: "enter", plan: remove, side: "client", level: "kmcl", ins: [channel, gpadl] }),
    sampleEvent(first + 3, {
      kind: "leave",
      plan: remove,
      side: "client",
      level: "kmcl",
      of: first + 2,
      outs: [],
      outcome: round % 5 === 4 ? { form: "refused", reason: "it is mapped" } : { form: "void" },
    }),
  ];
}

/** The bytes of a trace; `end` null leaves it without an end, as a killed recorder does; `version` makes it another's. */
export function writeTrace(
  events: Iterable<TraceEvent>,
  { header, end, version, ...options }: TraceWriterOptions & {
    readonly header?: TraceHeader;
    readonly end?: TraceEnd | null;
    readonly version?: number;
  } = {},
): Uint8Array<ArrayBuffer> {
  const sink = new BytesSink();
  const writer = new TraceWriter(sink, header ?? sampleHeader(), options);
  for (const event of events) writer.event(event);
  if (end === null) writer.flush();
  else writer.finish(end ?? { reason: "ended", message: "", events: writer.events });
  const bytes = sink.bytes();
  return version === undefined ? bytes : withVersion(bytes, version);
}

/** Another version in the header, and checksums that fit it, in the blocks too. */
function withVersion(bytes: Uint8Array<ArrayBuffer>, version: number): Uint8Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer);
  view.setUint32(28, version);
  view.setUint32(47, 0);
  const file = crc32(bytes.subarray(0, view.getUint32(38)));
  view.setUint32(47, file);
  for (const start of blockStarts(bytes)) {
    view.setUint32(start + 11, file);
    view.setUint32(start + 54, 0);
    view.setUint32(start + 54, crc32(bytes.subarray(start, start + 63)));
  }
  return bytes;
}

/** Any value of a declared type. */
export function arbitraryValue(param: ParamPlan, way: Way = "in"): fc.Arbitrary<Value> {
  return param.isArray ? fc.array(arbitraryOne(param, way), { maxLength: 4 }) : arbitraryOne(param, way);
}

function arbitraryOne(param: ParamPlan, way: Way): fc.Arbitrary<Value> {
  switch (param.storage) {
    case "u8":
      return fc.nat(0xff);
    case "u16":
      return fc.nat(0xffff);
    case "u32":
      return fc.integer({ min: 0, max: 0xffffffff });
    case "i32":
      return fc.integer();
    case "u64":
      return fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.bigInt({ min: 0n, max: 4096n }));
    case "i64":
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case "bool":
    case "function":
      return fc.boolean();
    case "text":
      return fc.option(fc.oneof(fc.string({ unit: "grapheme", maxLength: 6 }), fc.constant("__proto__")), {
        nil: null,
      });
    case "guid":
      return fc.option(fc.uuid().map((uuid) => `{${uuid}}`), { nil: null });
    case "bytes":
      return fc.uint8Array({ maxLength: 20 });
    case "object":
      return arbitraryObject(param);
    case "struct": {
      const members = membersOf(param, way).map((member) => [member.name, arbitraryValue(member, way)]);
      const record: Record<string, fc.Arbitrary<Value>> = Object.fromEntries(members);
      return fc.record(record);
    }
  }
}

function arbitraryObject({ kind }: ParamPlan): fc.Arbitrary<Value> {
  const number = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.maxSafeNat());
  const handle = fc.oneof(number.map((each) => 0x40000000 + 0x40 * (each % 100)), fc.maxSafeNat());
  const ref = kind === null ? fc.constant(null) : fc.record({ kind: fc.constant(kind), number, handle });
  return fc.oneof(fc.constant(null), fc.maxSafeNat(), { arbitrary: ref, weight: 4 });
}

/** Any events over the whole catalogue, numbered from 1: each does what its kind does, and points to events that it can point to. */
export const arbitraryEvents: fc.Arbitrary<TraceEvent[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...CATALOGUE).chain(arbitraryCall) },
    { weight: 1, arbitrary: arbitraryMemory() },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("note" as const), text: fc.string({ unit: "grapheme" }) }) },
  ).chain((changes) => arbitraryRest().map((rest) => ({ ...rest, ...changes }))),
  { maxLength: 40 },
).map(numbered);

/** Numbers events and lets them point back; answers to nothing are left out. */
function numbered(changes: readonly (Partial<TraceEvent> & Rest)[]): TraceEvent[] {
  const events: TraceEvent[] = [];
  for (const { causeBack, ...each } of changes) {
    const asked = each.kind === "leave" ? "enter" : each.kind === "return" ? "callback" : null;
    const pick = (fits: (event: TraceEvent) => boolean) => events.filter(fits).at(-1 - causeBack)?.event ?? 0;
    const cause = pick(({ kind }) => kind !== "memory" && kind !== "note");
    const of = asked === null ? 0 : events.findLast(({ kind }) => kind === asked)?.event ?? 0;
    if (asked === null || of > 0) events.push(sampleEvent(events.length + 1, { ...each, cause, of }));
  }
  return events;
}

type Rest = Pick<TraceEvent, "side" | "actor" | "level" | "timeNs" | "wallNs" | "site"> & {
  readonly causeBack: number;
};

function arbitraryRest(): fc.Arbitrary<Rest> {
  return fc.record({
    side: fc.constantFrom("client", "server", "umd#2"),
    actor: fc.constantFrom("main", "worker", "__proto__"),
    level: fc.constantFrom("machine", "kmcl", "d3dkmt", "wire"),
    timeNs: fc.oneof(fc.bigInt({ min: 0n, max: 1000n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
    wallNs: fc.oneof(fc.constant(0), fc.maxSafeNat()),
    site: fc.option(
      fc.record({
        file: fc.constantFrom("a.ts", "b/c.ts"),
        line: fc.nat(),
        column: fc.nat(200),
        function: fc.constantFrom("", "f"),
      }),
      { nil: null },
    ),
    causeBack: fc.nat(5),
  });
}

function arbitraryCall(plan: CallPlan): fc.Arbitrary<Partial<TraceEvent>> {
  const kinds: readonly EventKind[] = plan.isCallback ? ["callback", "return"] : ["call", "enter", "leave"];
  return fc.constantFrom(...kinds).chain((kind) => {
    const isAsked = kind === "call" || kind === "enter" || kind === "callback";
    const isAnswered = kind === "call" || kind === "leave" || kind === "return";
    return fc.record({
      kind: fc.constant(kind),
      plan: fc.constant(plan),
      ins: fc.tuple(...(isAsked ? plan.ins : []).map((param) => arbitraryValue(param, "in"))),
      outs: fc.nat(isAnswered ? plan.outs.length : 0).chain((given) =>
        fc.tuple(...plan.outs.slice(0, given).map((param) => arbitraryValue(param, "out")))
      ),
      outcome: isAnswered ? arbitraryOutcome(plan) : fc.constant(null),
    });
  });
}

function arbitraryOutcome({ returned }: CallPlan): fc.Arbitrary<TraceEvent["outcome"]> {
  return fc.oneof(
    fc.record({ form: fc.constant("status" as const), status: fc.integer({ min: 0, max: 0xffffffff }) }),
    fc.constant({ form: "void" as const }),
    fc.record({ form: fc.constant("refused" as const), reason: fc.string() }),
    ...(returned === null ? [] : [arbitraryValue(returned, "out").map((value) => ({ form: "value" as const, value }))]),
  );
}

function arbitraryMemory(): fc.Arbitrary<Partial<TraceEvent>> {
  return fc.record({
    partition: fc.constantFrom("guest", "host", "video"),
    page: fc.maxSafeNat(),
    offset: fc.nat(3000),
    digest: fc.integer({ min: 0, max: 0xffffffff }),
    data: fc.uint8Array({ maxLength: 50 }),
    isKept: fc.boolean(),
  }).map(({ data, isKept, ...rest }) => ({
    kind: "memory",
    memory: { ...rest, length: data.length, bytes: isKept ? data : null },
  }));
}
