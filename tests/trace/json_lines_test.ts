// A trace as JSON lines, exact both ways.

import fc from "fast-check";
import {
  CATALOGUE,
  compilePlan,
  type ObjectKind,
  OBJECTS,
  type Outcome,
  type ParamPlan,
  planOf,
  STATUS,
  type Value,
} from "../../src/api/mod.ts";
import type { TraceEnd, TraceEvent } from "../../src/trace/event.ts";
import { eventToJson, headerToJson, jsonLines } from "../../src/trace/json_lines.ts";
import { JsonLinesError } from "../../src/trace/json_lines_error.ts";
import { JsonLinesParser, parseJsonLines } from "../../src/trace/json_lines_parse.ts";
import { HandleBook } from "../../src/trace/json_values.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { EventList, header, ref, refused, returned } from "../support/events.ts";

const END: TraceEnd = { reason: "ended", message: "", events: 2 };

function roundTrip(events: readonly TraceEvent[]): TraceEvent[] {
  const lines = jsonLines({ header: header(), end: END, events: () => events });
  return [...parseJsonLines(lines).events];
}

function parseLine(text: string): TraceEvent | null {
  return new JsonLinesParser().line(text);
}

Deno.test("eventToJson() has the documented members in order, and leaves out defaults", () => {
  const list = new EventList();
  list.call("server", "VmbChannelMapGpadl", { Channel: ref("channel", 1), GpadlHandle: ref("gpadl", 7, 925200) }, {
    outs: { Mdl: ref("mdl", 3) },
  });
  assertEquals(
    list.events.map((event) => JSON.stringify(eventToJson(event))),
    [
      '{"event":1,"kind":"call","side":"server","call":"VmbChannelMapGpadl",' +
      '"args":{"Channel":"channel#1","Flags":0,"GpadlHandle":"gpadl#7"},"outcome":"STATUS_SUCCESS",' +
      '"outs":{"Mdl":"mdl#3"},"handles":{"channel#1":4097,"gpadl#7":925200,"mdl#3":4099}}',
    ],
  );
});

Deno.test("eventToJson() says a handle value once, and again when it changes", () => {
  const list = new EventList();
  list.call("client", "VmbChannelDisable", { Channel: ref("channel", 1, 5) });
  list.call("client", "VmbChannelDisable", { Channel: ref("channel", 1, 5) });
  list.call("client", "VmbChannelDisable", { Channel: ref("channel", 1, 6) });
  const said = new HandleBook();
  assertEquals(list.events.map((event) => eventToJson(event, said).handles), [
    { "channel#1": 5 },
    undefined,
    { "channel#1": 6 },
  ]);
  assertEquals(roundTrip(list.events), list.events);
});

Deno.test("eventToJson() writes 64-bit values, outcomes, sites and memory so that they read back", () => {
  const list = new EventList();
  list.call("umd#2", "D3DKMTReserveGpuVirtualAddress", { BaseAddress: 2n ** 64n - 1n, Size: 2n ** 53n - 1n }, {
    outcome: { form: "status", status: 0xc0001234 },
    timeNs: 2n ** 60n,
    actor: "thread 4",
  });
  list.call("guest", "AllocateBuffer", { ByteCount: 1 }, { outcome: returned(ref("buffer", 1)) });
  list.call("guest", "ReadBuffer", { Buffer: ref("buffer", 1) }, { outcome: returned(Uint8Array.of(0, 255)) });
  list.call("guest", "FreeBuffer", { Buffer: 77 }, { outcome: refused("Buffer names no buffer") });
  list.memory({ page: 9, offset: 4094, length: 2, digest: 0xffffffff, bytes: Uint8Array.of(1, 0xab) }, 3);
  list.note("line one\nline two \u{1f600} __proto__");
  const site = { file: "a.ts", line: 1, column: 2, function: "f" };
  list.add({
    kind: "leave",
    plan: planOf("VmbChannelDisable"),
    side: "client",
    of: 2,
    level: "wire",
    wallNs: 5,
    site,
    outcome: { form: "void" },
  });
  assertEquals(roundTrip(list.events), list.events);
  const json = list.events.map((event) => eventToJson(event));
  assertEquals(json[0]?.["outcome"], "0xc0001234");
  assertEquals(json[0]?.["timeNs"], "1152921504606846976");
  assertEquals(json[2]?.["value"], "00ff");
  assertEquals([json[3]?.["outcome"], json[3]?.["reason"]], ["refused", "Buffer names no buffer"]);
  assertEquals(json[4]?.["memory"], {
    partition: "guest",
    page: 9,
    offset: 4094,
    length: 2,
    digest: 0xffffffff,
    bytes: "01ab",
  });
});

Deno.test("parseJsonLines() reads every event that jsonLines() writes back to the same event", () => {
  fc.assert(
    fc.property(fc.array(anyEvent(), { maxLength: 6 }), (events) => {
      const numbered = events.map((event, index) => ({ ...event, event: 2 * index + 1 }));
      assertEquals(roundTrip(numbered), numbered);
    }),
    { seed: 7, numRuns: 150 },
  );
});

Deno.test("parseJsonLines() gives header and end back as they were", () => {
  const given = header({
    options: { callbacks: "written", "va-bits": "40" },
    losses: [{ what: "events", firstEvent: 3, lastEvent: 4, offsetBytes: -1 }],
    capabilities: ["kmcl"],
    program: { name: "gpu-pv", kind: "module", args: ["--x"] },
  });
  const parsed = parseJsonLines([JSON.stringify(headerToJson(given, END))]);
  assertEquals(parsed.header, given);
  assertEquals([parsed.end, parsed.hasHeader, [...parsed.events]], [END, true, []]);
});

Deno.test("parseJsonLines() takes what a converter writes that knows seven members", () => {
  const lines = [
    '\uFEFF{"event":4,"kind":"call","side":"server","call":"VmbChannelMapGpadl","args":{"Channel":"channel#2","Flags":"READ_ONLY","GpadlHandle":"gpadl#1"},"outcome":"STATUS_SUCCESS","outs":{"Mdl":"mdl#1"}}',
    "",
    '{"kind":"call","side":"umd","call":"D3DKMTMapGpuVirtualAddress","args":{"BaseAddress":"0x400000","SizeInPages":"16","Protection":"Write|Execute","hAllocation":"0x40000080"},"outcome":259}',
    '{"kind":"call","side":"server","call":"VmbChannelUnmapGpadl","args":{"Channel":"channel#2","GpadlHandle":"gpadl#1"}}\r',
  ].map((line) => line.replace("VmbChannelUnmapGpadl", planOf("VmbChannelUnmapGpadl").name));
  const parsed = parseJsonLines(lines);
  const events = [...parsed.events];
  assertEquals([parsed.hasHeader, parsed.header.maker, parsed.end], [false, "json", null]);
  assertEquals(events.map(({ event, level, timeNs, actor }) => ({ event, level, timeNs, actor })), [
    { event: 4, level: "kmcl", timeNs: 0n, actor: "server" },
    { event: 5, level: "d3dkmt", timeNs: 0n, actor: "umd" },
    { event: 6, level: "kmcl", timeNs: 0n, actor: "server" },
  ]);
  assertEquals(events[0]?.ins, [ref("channel", 2, 0), 1, ref("gpadl", 1, 1)]);
  assertEquals(events[0]?.outs, [ref("mdl", 1, 2)]);
  assertEquals(argument(events[1], "hAllocation"), 0x40000080);
  assertEquals([argument(events[1], "Protection"), argument(events[1], "SizeInPages")], [3n, 16n]);
  assertEquals(events[1]?.outcome, { form: "status", status: 259 });
  assertEquals(events[2]?.outcome, { form: "void" });
});

function argument(event: TraceEvent | undefined, name: string): Value | undefined {
  return event?.ins[event.plan?.ins.findIndex((param) => param.name === name) ?? -1];
}

Deno.test("parseJsonLines() fills what a structure leaves out, and keeps outputs as given", () => {
  const line = {
    kind: "call",
    side: "umd",
    call: "D3DKMTCreateAllocation2",
    args: { hDevice: "device#1", pAllocationInfo2: [{ Size: "0x40000" }] },
    outcome: "STATUS_SUCCESS",
    outs: { pAllocationInfo2: [{ hAllocation: "allocation#1" }] },
  };
  const event = parseLine(JSON.stringify(line));
  assertEquals(argument(event ?? undefined, "pAllocationInfo2"), [{ Size: 0x40000n, pSystemMem: null, Flags: 0 }]);
  const plan = planOf("D3DKMTCreateAllocation2");
  const out = event?.outs[plan.outs.findIndex((param) => param.name === "pAllocationInfo2")];
  assertEquals(out, [{ hAllocation: ref("allocation", 1, 1) }]);
});

Deno.test("JsonLinesParser counts members that nobody declared, and __proto__ is one of them", () => {
  const parser = new JsonLinesParser();
  parser.line('{"schema":"maptrail.trace/1","color":1,"options":{"__proto__":"x","new-option":"1"}}');
  const event = parser.line(
    '{"kind":"call","side":"client","call":"VmbChannelDisable","__proto__":{"of":3},"args":{"Channel":null}}',
  );
  assertEquals([event?.of, event?.ins], [0, [null]]);
  parser.line('{"kind":"note","__proto__":1}');
  assertEquals(parser.ignored.count, 5);
  assertEquals([...parser.ignored.byPath.keys()], [
    "header.color",
    "header.options.__proto__",
    "header.options.new-option",
    "__proto__",
  ]);
  assertEquals(parser.ignored.byPath.get("header.color"), { count: 1, firstLine: 1 });
  assertEquals(parser.ignored.byPath.get("__proto__"), { count: 2, firstLine: 2 });
  assertEquals(Object.hasOwn(Object.prototype, "Channel"), false);
});

Deno.test("JsonLinesParser keeps at most 100 ignored paths and still counts", () => {
  const parser = new JsonLinesParser();
  for (let index = 0; index < 150; index += 1) parser.line(`{"kind":"note","m${index}":1}`);
  assertEquals([parser.ignored.count, parser.ignored.byPath.size], [150, 100]);
});

Deno.test("parseJsonLines() survives lines nested a million deep", () => {
  const deep = "[".repeat(1_000_000) + "]".repeat(1_000_000);
  const line = `{"kind":"call","side":"client","call":"VmbChannelDisable","args":{"Channel":${deep}}}`;
  assertThrows(() => parseLine(line), JsonLinesError);
});

Deno.test("parseJsonLines() survives any JSON as a line", () => {
  const members = [
    "event",
    "kind",
    "side",
    "call",
    "args",
    "outcome",
    "outs",
    "handles",
    "memory",
    "site",
    "schema",
    "end",
  ];
  const line = fc.dictionary(
    fc.constantFrom(...members),
    fc.oneof(fc.jsonValue(), fc.constantFrom("call", "memory", "VmbChannelMapGpadl")),
  );
  fc.assert(
    fc.property(line, (json) => {
      try {
        assert(parseLine(JSON.stringify(json)) !== undefined);
      } catch (error) {
        if (!(error instanceof JsonLinesError)) throw error;
      }
    }),
    { seed: 11, numRuns: 400 },
  );
});

Deno.test("JsonLinesParser takes declarations other than the catalogue's", () => {
  const plan = compilePlan({ name: "Old", level: "kmcl", isCallback: false }, {
    id: 9001,
    endpoint: "client",
    doc: "",
    params: { A: "in i32", B: "in i64", C: "in u8" },
    returns: "i64",
  });
  const parser = new JsonLinesParser({ findPlan: (name) => name === "Old" ? plan : undefined });
  const event = parser.line(
    '{"kind":"call","side":"client","call":"Old","args":{"A":-2147483648,"B":"-9223372036854775808","C":255},"outcome":"value","value":"-9007199254740993"}',
  );
  assertEquals(event?.ins, [-0x80000000, -(2n ** 63n), 255]);
  assertEquals(event?.outcome, { form: "value", value: -9007199254740993n });
});

function anyEvent(): fc.Arbitrary<TraceEvent> {
  const kind = fc.constantFrom("call", "enter", "leave", "callback", "return");
  return fc.tuple(fc.constantFrom(...CATALOGUE), kind).chain(([plan, asked]) => {
    const shape = plan.isCallback
      ? (asked === "leave" || asked === "return" ? "return" : "callback")
      : asked === "callback" || asked === "return"
      ? "call"
      : asked;
    const hasIns = shape === "call" || shape === "enter" || shape === "callback";
    const answers = shape === "call" || shape === "leave" || shape === "return";
    return fc.record<TraceEvent>({
      event: fc.constant(1),
      kind: fc.constant(shape),
      plan: fc.constant(plan),
      side: fc.constantFrom("client", "server", "umd#2", "machine"),
      actor: fc.constantFrom("client", "server", "a b"),
      level: fc.constantFrom("kmcl", "d3dkmt", "wire", "machine"),
      cause: fc.nat(),
      of: fc.nat(),
      timeNs: fc.bigInt({ min: 0n, max: 2n ** 63n }),
      wallNs: fc.nat(),
      site: fc.option(fc.record({ file: fc.string(), line: fc.nat(), column: fc.nat(), function: fc.string() })),
      ins: hasIns ? fc.tuple(...plan.ins.map((param) => anyValue(param, "in"))) : fc.constant([]),
      outs: answers
        ? fc.oneof(fc.constant([]), fc.tuple(...plan.outs.map((param) => anyValue(param, "out"))))
        : fc.constant([]),
      outcome: answers ? anyOutcome(plan.returned, plan.declaration.returns) : fc.constant(null),
      memory: fc.constant(null),
      text: fc.string(),
    });
  });
}

function anyOutcome(value: ParamPlan | null, returns: string): fc.Arbitrary<Outcome> {
  const misuse = fc.string().map(refused);
  if (value !== null) return fc.oneof(misuse, anyValue(value, "out").map(returned));
  if (returns === "void") return fc.oneof(misuse, fc.constant<Outcome>({ form: "void" }));
  const number = fc.oneof(fc.constantFrom(...Object.values(STATUS)), fc.integer({ min: 0, max: 0xffffffff }));
  return number.map((code): Outcome => ({ form: "status", status: code }));
}

function anyValue(param: ParamPlan, way: "in" | "out"): fc.Arbitrary<Value> {
  return param.isArray ? fc.array(anyOne(param, way), { maxLength: 3 }) : anyOne(param, way);
}

function anyOne(param: ParamPlan, way: "in" | "out"): fc.Arbitrary<Value> {
  switch (param.storage) {
    case "struct": {
      const members = param.members.filter((member) => way === "in" ? member.goesIn : member.goesOut);
      return fc.record(Object.fromEntries(members.map((member) => [member.name, anyValue(member, way)])));
    }
    case "object":
      return fc.oneof(fc.constant(null), fc.integer({ min: 1, max: 2 ** 40 }), anyRef());
    case "bool":
    case "function":
      return fc.boolean();
    case "text":
      return fc.string();
    case "guid":
      return fc.option(fc.uuid().map((uuid) => `{${uuid}}`));
    case "bytes":
      return fc.uint8Array({ maxLength: 20 });
    case "u64":
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    case "i64":
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case "i32":
      return fc.integer();
    default:
      return fc.integer({ min: 0, max: { u8: 0xff, u16: 0xffff, u32: 0xffffffff }[param.storage] });
  }
}

function anyRef(): fc.Arbitrary<Value> {
  const kinds = Object.keys(OBJECTS).filter((kind): kind is ObjectKind => kind in OBJECTS);
  return fc.tuple(fc.constantFrom(...kinds), fc.integer({ min: 1, max: 5 })).map(([kind, number]) => ref(kind, number));
}
