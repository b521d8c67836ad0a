// Canonical text of values, calls, outcomes and places.

import {
  compilePlan,
  matchesGlob,
  type ParamPlan,
  type ParamSpec,
  parseObject,
  parsePosition,
  parseRange,
  planOf,
  printCall,
  printObject,
  printOutcome,
  printPosition,
  printSite,
  printValue,
  quoteText,
  type Value,
} from "../../src/api/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";

function param(spec: ParamSpec): ParamPlan {
  const source = { name: "Test", level: "machine", isCallback: false } as const;
  const [plan] =
    compilePlan(source, { id: 9999, endpoint: "machine", doc: "", params: { P: spec }, returns: "void" }).params;
  assert(plan !== undefined);
  return plan;
}

function print(spec: ParamSpec, value: Value): string {
  return printValue(param(spec), value);
}

const GPADL_7 = { kind: "gpadl", number: 7, handle: 0xe1e10 } as const;
const MDL_3 = { kind: "mdl", number: 3, handle: 0x80001000 } as const;
const CHANNEL_1 = { kind: "channel", number: 1, handle: 0x80002000 } as const;

Deno.test("printValue() writes flags by symbols, unknown bits in hexadecimal, none as 0", () => {
  assertEquals(print("in packetFlags", 3), "WAIT_FOR_COMPLETION|FORCE_MDL_LENGTH");
  assertEquals(print("in protection", 0x8000000000000003n), "Write|Execute|0x8000000000000000");
  assertEquals(print("in gpadlFlags", 0x40), "0x40");
  assertEquals(print("in gpadlFlags", 0), "0");
});

Deno.test("printValue() writes enumerations by name and numbers without one by their type", () => {
  assertEquals(print("in updateOperation", 3), "MAP_PROTECT");
  assertEquals(print("in updateOperation", 9), "9");
  assertEquals(print("in status", 0xc000000d), "STATUS_INVALID_PARAMETER");
  assertEquals(print("in status", 0xc0009999), "0xc0009999");
  assertEquals(print("in gpuVa", 0x400000n), "0x400000");
  assertEquals(print("in pageCount", 64n), "64");
  assertEquals(print("in i64", -5n), "-5");
});

Deno.test("printValue() writes objects by kind and number, raw handles in hexadecimal", () => {
  assertEquals(print("in gpadl", GPADL_7), "gpadl#7");
  assertEquals(print("in gpadl", 0xe1e10), "0xe1e10");
  assertEquals(print("in? gpadl", null), "null");
  assertEquals(print("in gpadl[]", [GPADL_7, null]), "[gpadl#7, null]");
});

Deno.test("printValue() shortens bytes that are all alike above 16", () => {
  assertEquals(print("in bytes", new Uint8Array([0, 255, 16])), "h'00ff10'");
  assertEquals(print("in bytes", new Uint8Array(16)), `h'${"00".repeat(16)}'`);
  assertEquals(print("in bytes", new Uint8Array(17)), "zero(17)");
  assertEquals(print("in bytes", new Uint8Array(4096).fill(0xab)), "fill(0xab, 4096)");
  assertEquals(print("in bytes", new Uint8Array(0)), "h''");
});

Deno.test("printValue() lets no control, formatting or escape character through", () => {
  assertEquals(
    print("in text", 'a"\\\n\u001b[31m\u009b\u202e\ud800'),
    '"a\\"\\\\\\n\\u{1b}[31m\\u{9b}\\u{202e}\\u{d800}"',
  );
  assertEquals(print("in guid", "\u001b[2J"), '"\\u{1b}[2J"');
  assertEquals(printSite({ file: "\u001b]0;x\u0007.ts", line: 3, function: "" }), "\\u{1b}]0;x\\u{7}.ts:3");
  assertEquals(quoteText("ünï ☃"), '"ünï ☃"');
});

Deno.test("printValue() leaves default members of structures out", () => {
  const operation = { OperationType: 0, BaseAddress: 0x10000n, SizeInBytes: 0n, hAllocation: null, Protection: 1n };
  assertEquals(
    print("in D3DDDI_UPDATEGPUVIRTUALADDRESS_OPERATION[]", [operation, {}]),
    "[{BaseAddress=0x10000, Protection=Write}, {}]",
  );
});

Deno.test("printCall() leaves defaults out, and counts that are their array's length", () => {
  const plan = planOf("VmbChannelMapGpadl");
  assertEquals(
    printCall({ side: "server", plan, ins: [CHANNEL_1, 0, GPADL_7] }),
    "server VmbChannelMapGpadl(Channel=channel#1, GpadlHandle=gpadl#7)",
  );
  const send = planOf("VmbPacketSend");
  const packet = { kind: "packet", number: 1, handle: 1 } as const;
  const ins = (count: number): Value[] => [packet, new Uint8Array([1, 2]), count, null, 0];
  assertEquals(
    printCall({ side: "client", plan: send, ins: ins(2) }),
    "client VmbPacketSend(PacketObject=packet#1, Buffer=h'0102')",
  );
  assertEquals(
    printCall({ side: "client", plan: send, ins: ins(0) }),
    "client VmbPacketSend(PacketObject=packet#1, Buffer=h'0102', BufferLength=0)",
  );
});

Deno.test("printOutcome() writes answers, refusals and waits, and outputs that are not default", () => {
  const map = planOf("VmbChannelMapGpadl");
  const free = planOf("FreeBuffer");
  assertEquals(
    printOutcome({ plan: map, outcome: { form: "status", status: 0 }, outs: [MDL_3] }),
    "STATUS_SUCCESS {Mdl=mdl#3}",
  );
  assertEquals(
    printOutcome({ plan: map, outcome: { form: "status", status: 0xc0000184 }, outs: [null] }),
    "STATUS_INVALID_DEVICE_STATE",
  );
  assertEquals(printOutcome({ plan: map, outcome: null, outs: [] }), "blocked");
  assertEquals(printOutcome({ plan: free, outcome: { form: "void" }, outs: [] }), "void");
  assertEquals(
    printOutcome({ plan: free, outcome: { form: "refused", reason: 'a "b"' }, outs: [] }),
    'refused "a \\"b\\""',
  );
  const mdl = planOf("CreateMdl");
  assertEquals(printOutcome({ plan: mdl, outcome: { form: "value", value: MDL_3 }, outs: [] }), "mdl#3");
});

Deno.test("places print and read back", () => {
  assertEquals(printPosition(1234), "@1234");
  assertEquals(parsePosition("@1234"), 1234);
  assertEquals(["1234", "@0", "@-1", "@1 ", "@9999999999999999"].map(parsePosition), Array(5).fill(null));
  assertEquals(parseRange("@10-@20"), { from: 10, to: 20 });
  assertEquals(["@20-@10", "@10", "@1-@2-@3", "10-20", "@1-"].map(parseRange), Array(5).fill(null));
  assertEquals(parseObject("gpadl#7"), { kind: "gpadl", number: 7 });
  assertEquals(["gpadl#0", "gpadl", "gpdal#7", "toString#1"].map(parseObject), Array(4).fill(null));
  assertEquals(
    printSite({ file: "gpu_pv_leak.ts", line: 88, function: "shareBuffer" }),
    "gpu_pv_leak.ts:88 (shareBuffer)",
  );
});

Deno.test("matchesGlob() matches whole names, only * and ? being special", () => {
  assertEquals(["VmbChannelMapGpadl", "VmbX", "xVmbGpadl"].map((name) => matchesGlob("Vmb*Gpadl", name)), [
    true,
    false,
    false,
  ]);
  assert(matchesGlob("gpadl-?eak", "gpadl-leak") && !matchesGlob("a.c", "abc"));
  assert(matchesGlob("[a](b)^$\\/{1}+|.*", "[a](b)^$\\/{1}+|.anything"));
});

Deno.test("matchesGlob() takes stars and question marks, and long rows of stars at once", () => {
  for (
    const [glob, name] of [["*", ""], ["a*c", "abc"], ["a*c", "ac"], ["?b?", "abc"], ["**a", "ba"], [
      "*ab",
      "aab",
    ]] as const
  ) {
    assert(matchesGlob(glob, name), glob);
  }
  for (const [glob, name] of [["", "a"], ["a", ""], ["?", ""], ["a*c", "acb"], ["A", "a"], [".", "a"]] as const) {
    assert(!matchesGlob(glob, name), glob);
  }
  assert(!matchesGlob("*a".repeat(50) + "b", "a".repeat(5000)));
});

Deno.test("parseObject() takes what printObject() writes and nothing else", () => {
  assertEquals(parseObject(printObject({ kind: "gpadl", number: 7 })), { kind: "gpadl", number: 7 });
  for (const text of ["gpadl", "gpadl#0", "gpadl#-1", "gpadl#1x", "toString#1", "__proto__#1", "gpadl#01"]) {
    assertEquals(parseObject(text), null, text);
  }
});
