// What written values mean when a scenario runs: arguments evaluated, outcomes and callbacks compared, variables bound.

import {
  type CallStatement,
  evaluateArguments,
  evaluateReturn,
  matchArguments,
  matchOutcome,
  NotationError,
  type Outcome,
  parseScenario,
  type Value,
} from "../../src/api/mod.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { handleOf, mapEnvironment } from "./notation_values.ts";

const GPADL_7 = { kind: "gpadl", number: 7, handle: 0xe1e10 } as const;
const SUCCESS: Outcome = { form: "status", status: 0 };

function call(text: string): CallStatement {
  const statement = parseScenario(text).statements[0];
  assert(statement?.form === "call");
  return statement;
}

function args(text: string, variables: Record<string, Value> = {}): Readonly<Record<string, Value>> {
  const { args, plan } = call(text);
  return evaluateArguments(args, plan, mapEnvironment(new Map(Object.entries(variables))));
}

function outcome(
  text: string,
  actual: Outcome | null,
  { outs = [], variables = new Map() }: { readonly outs?: readonly Value[]; readonly variables?: Map<string, Value> } =
    {},
): string | null {
  const { outcome, plan } = call(text);
  return matchOutcome(outcome, { plan, outcome: actual, outs }, mapEnvironment(variables));
}

Deno.test("evaluateArguments() calculates with variables and gives each type its own form", () => {
  const given = args("gpu GpuAccess(hContext=$c, VirtualAddress=$va+0x1000, ByteCount=$n-1, Access=Write)", {
    c: { kind: "context", number: 1, handle: 0x40000000 },
    va: 0x10000n,
    n: 4097,
  });
  assertEquals(given, { hContext: 0x40000000, VirtualAddress: 0x11000n, ByteCount: 4096, Access: 1 });
});

Deno.test("evaluateArguments() resolves objects to handles and keeps raw handle values", () => {
  assertEquals(args("server VmbChannelMapGpadl(GpadlHandle=gpadl#7, Channel=0x99, Flags=READ_ONLY|0x40)"), {
    GpadlHandle: handleOf("gpadl", 7),
    Channel: 0x99,
    Flags: 0x41,
  });
  const { args: named, plan } = call("host FreeMdl(Mdl=mdl#9)");
  const empty = { ...mapEnvironment(), object: () => undefined };
  assertThrows(() => evaluateArguments(named, plan, empty), NotationError, "mdl#9 was not created");
});

Deno.test("evaluateArguments() fills in a count that is left out", () => {
  assertEquals(args("client VmbPacketSend(Buffer=zero(5))").BufferLength, 5);
  assertEquals(args("client VmbPacketSend(Buffer=$b)", { b: new Uint8Array(3) }).BufferLength, 3);
  assertEquals(args("client VmbPacketSend(Buffer=zero(5), BufferLength=2)").BufferLength, 2);
  assertEquals(args("client VmbPacketSendWithExternalPfns(ExternalDataPfns=[1, 2])").PfnLength, 2);
});

Deno.test("evaluateArguments() takes sides and calls with or without quotes", () => {
  assertEquals(args("machine ExitProcess(Side=umd#2)"), { Side: "umd#2" });
  assertEquals(args("machine ExitProcess(Side=guest-umd)"), { Side: "guest-umd" });
  assertEquals(args('machine FailNext(Call="VmbChannelMapGpadl", Status=STATUS_NO_MEMORY)').Status, 0xc0000017);
});

Deno.test("evaluateArguments() says where a variable has no value or does not fit", () => {
  assertThrows(() => args("host FreeMdl(Mdl=$m)"), NotationError, "nothing has bound $m");
  assertThrows(() => args("host FreeMdl(Mdl=$m+1)", { m: GPADL_7 }), NotationError, "$m is none");
  assertThrows(() => args("host FreeMdl(Mdl=$m)", { m: "text" }), NotationError, "expected Mdl to be mdl: $m is not");
  assertThrows(() => args("guest AllocateBuffer(ByteCount=$n-2)", { n: 1 }), NotationError, "found -1");
});

Deno.test("matchOutcome() compares statuses exactly, by name or number, and by ok and fails", () => {
  const enable = "client VmbChannelEnable()";
  const bad: Outcome = { form: "status", status: 0xc000000d };
  assertEquals(outcome(enable, bad), null);
  assertEquals(outcome(`${enable} -> STATUS_INVALID_PARAMETER`, bad), null);
  assertEquals(outcome(`${enable} -> 0xc000000d`, bad), null);
  assertEquals(outcome(`${enable} -> fails`, bad), null);
  assertEquals(outcome(`${enable} -> ok`, bad), "wrote ok, got STATUS_INVALID_PARAMETER");
  assertEquals(outcome(`${enable} -> STATUS_SUCCESS`, bad), "wrote STATUS_SUCCESS, got STATUS_INVALID_PARAMETER");
  assertEquals(outcome(`${enable} -> blocked`, null), null);
  assertEquals(outcome(`${enable} -> ok`, null), "wrote ok, got blocked");
  assertEquals(outcome(`${enable} -> blocked`, SUCCESS), "wrote blocked, got STATUS_SUCCESS");
  // STATUS_PENDING is informational, STATUS_BUFFER_OVERFLOW a warning: NT_SUCCESS takes the first only.
  assertEquals(outcome(`${enable} -> ok`, { form: "status", status: 0x103 }), null);
  assertEquals(outcome(`${enable} -> fails`, { form: "status", status: 0x80000005 }), null);
});

Deno.test("matchOutcome() compares void, refusals and returned values", () => {
  const refused: Outcome = { form: "refused", reason: "why" };
  const free = "host FreeMdl(Mdl=mdl#1)";
  assertEquals(outcome(`${free} -> void`, { form: "void" }), null);
  assertEquals(outcome(`${free} -> refused`, refused), null);
  assertEquals(outcome(`${free} -> refused "why"`, refused), null);
  assertEquals(outcome(`${free} -> refused "what"`, refused), 'wrote refused "what", got refused "why"');
  assertEquals(outcome(`${free} -> void`, refused), 'wrote void, got refused "why"');
  const read = "host ReadMdl()";
  assertEquals(outcome(`${read} -> h'00ff'`, { form: "value", value: new Uint8Array([0, 255]) }), null);
  assertEquals(
    outcome(`${read} -> zero(2)`, { form: "value", value: new Uint8Array([0, 255]) }),
    "wrote zero(2), got h'00ff'",
  );
  const variables = new Map<string, Value>();
  assertEquals(outcome("guest AllocateBuffer() -> $b", { form: "value", value: 5 }, { variables }), null);
  assertEquals(variables.get("b"), 5);
  assertEquals(outcome("guest AllocateBuffer() -> $b", refused, { variables }), 'wrote $b, got refused "why"');
});

Deno.test("matchOutcome() compares outputs that are written and binds variables anew, deep inside too", () => {
  const create = "umd D3DKMTCreateAllocation2() -> ok";
  const allocation = { kind: "allocation", number: 2, handle: 0x40000080 } as const;
  const outs: Value[] = [null, [{ hAllocation: allocation, GpuVirtualAddress: 0n }]];
  const variables = new Map<string, Value>([["x", 1]]);
  assertEquals(outcome(`${create} {pAllocationInfo2=[{hAllocation=$x}]}`, SUCCESS, { outs, variables }), null);
  assertEquals(variables.get("x"), allocation);
  assertEquals(
    outcome(`${create} {pAllocationInfo2=[{hAllocation=allocation#2}], hResource=null}`, SUCCESS, { outs }),
    null,
  );
  assertEquals(outcome(`${create} {pAllocationInfo2=[{hAllocation=0x40000080}]}`, SUCCESS, { outs }), null);
  assertEquals(
    outcome(`${create} {pAllocationInfo2=[{hAllocation=allocation#3}]}`, SUCCESS, { outs }),
    "pAllocationInfo2[0].hAllocation: wrote allocation#3, got allocation#2",
  );
  assertEquals(outcome(`${create} {pAllocationInfo2=[]}`, SUCCESS, { outs }), "pAllocationInfo2: wrote 0 items, got 1");
  assertThrows(() => call(`${create} {pAllocationInfo2=[{Size=1}]}`), NotationError, 'unknown name "Size"');
});

Deno.test("matchOutcome() binds variables even where the outcome differs", () => {
  const variables = new Map<string, Value>();
  const text = "server VmbChannelMapGpadl() -> STATUS_SUCCESS {Mdl=$m}";
  assertStringIncludes(
    outcome(text, { form: "status", status: 0xc000000d }, { variables }) ?? "",
    "wrote STATUS_SUCCESS",
  );
  assertEquals(variables.get("m"), null);
});

Deno.test("matchArguments() compares variables and takes what is left out as its default", () => {
  const text = "client VmbChannelEnable()\n  callback server EvtVmbChannelProcessPacket(Channel=$c, Buffer=h'0102')";
  const callback = parseScenario(text).statements[1];
  assert(callback?.form === "callback");
  const channel = { kind: "channel", number: 2, handle: 9 } as const;
  const env = mapEnvironment(new Map([["c", channel]]));
  const compare = (ins: readonly Value[]) => matchArguments(callback.args, { plan: callback.plan, ins, env });
  const bytes = new Uint8Array([1, 2]);
  assertEquals(compare([channel, null, bytes, 2, 0]), null);
  assertEquals(compare([{ ...channel, number: 1 }, null, bytes, 2, 0]), "Channel: wrote $c (channel#2), got channel#1");
  assertEquals(compare([channel, null, bytes, 3, 0]), "BufferLength: left out, which means 2, got 3");
  assertEquals(compare([channel, null, bytes, 2, 1]), "Flags: left out, which means 0, got EXTERNAL_DATA");
});

Deno.test("evaluateReturn() defaults to STATUS_SUCCESS or nothing", () => {
  const text = `client VmbChannelEnable()
  callback client EvtVmbChannelOpened() -> STATUS_UNSUCCESSFUL
  callback client EvtVmbChannelOpened()
  callback client EvtVmbChannelStarted()`;
  const outcomes = parseScenario(text).statements.flatMap((each) =>
    each.form === "callback" ? [evaluateReturn(each.returns, each.plan, mapEnvironment())] : []
  );
  assertEquals(outcomes, [{ form: "status", status: 0xc0000001 }, SUCCESS, { form: "void" }]);
});
