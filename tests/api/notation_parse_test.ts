// What the notation accepts, and what it says of lines that are none.

import fc from "fast-check";
import { NotationError, parseScenario, type Statement } from "../../src/api/mod.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";

function statements(text: string): readonly Statement[] {
  return parseScenario(text).statements;
}

function fails(text: string, line: number, includes: string): NotationError {
  const error = assertThrows(() => parseScenario(text), NotationError, includes);
  assertEquals(error.line, line, error.message);
  return error;
}

const ENABLE = "client VmbChannelEnable(Channel=channel#1)";

Deno.test("parseScenario() reads blank lines, comments, carriage returns and any order of names", () => {
  const read = statements(
    `\ufeff# top\r\n\r\n  # indented\r\n${ENABLE} -> ok # because\r\nserver VmbChannelMapGpadl( GpadlHandle = gpadl#1 , Channel=channel#2 )->ok\r\n`,
  );
  assertEquals(read.map(({ line }) => line), [4, 5]);
  const [, map] = read;
  assert(map?.form === "call");
  assertEquals(map.args.map(({ name }) => name), ["GpadlHandle", "Channel"]);
});

Deno.test("parseScenario() gives sides in canonical form and keeps process numbers", () => {
  const read = statements("umd#1 D3DKMTCloseAdapter()\numd#2 D3DKMTCloseAdapter()\nguest-umd D3DKMTCloseAdapter()");
  assertEquals(read.map((each) => each.form === "call" ? each.side : ""), ["umd", "umd#2", "guest-umd"]);
});

Deno.test("parseScenario() reads every form of outcome", () => {
  const outcomes = [
    "ok",
    "fails",
    "STATUS_SUCCESS",
    "0xc000000d",
    "$s",
    "{}",
    "blocked @b",
    "refused",
    'refused "why"',
    "void",
  ];
  const forms = statements(outcomes.map((outcome) => `${ENABLE} -> ${outcome}`).join("\n")).map((each) =>
    each.form === "call" ? each.outcome?.form : null
  );
  assertEquals(forms, ["ok", "fails", "value", "value", "value", "any", "blocked", "refused", "refused", "void"]);
});

Deno.test("parseScenario() reads callbacks that are not well nested, and leaves anywhere", () => {
  const read = statements(`
client VmbChannelDisable(Channel=channel#1) -> blocked @close
  callback server EvtVmbChannelClosed(Channel=channel#2) blocked @cb
    guest AllocateBuffer(ByteCount=1) -> $b
    umd D3DKMTCloseAdapter()
  callback client EvtVmbChannelClosed(Channel=channel#1) -> void @5
server VmbChannelUnmapGpadl(Channel=channel#2, GpadlHandle=gpadl#1)
  return @cb
  leave @close -> void @9
    callback server EvtVmbChannelOpened(Channel=channel#2) -> STATUS_UNSUCCESSFUL
expect finding channel-leak at @cb
expect state channel#1 disabled/paused
expect state $b live
`);
  assertEquals(read.map(({ form }) => form), [
    "call",
    "callback",
    "call",
    "call",
    "callback",
    "call",
    "return",
    "leave",
    "callback",
    "expectFinding",
    "expectState",
    "expectState",
  ]);
  assertEquals(read.map(({ depth }) => depth), [0, 1, 2, 2, 1, 0, 1, 1, 2, 0, 0, 0]);
  const [close, callback, , , , , returned, left] = read;
  assert(left?.form === "leave" && left.of === close && left.label === "9");
  assert(returned?.form === "return" && returned.of === callback);
});

Deno.test("NotationError shows the line, the column and what was expected", () => {
  const error = assertThrows(
    () => parseScenario("\nserver VmbChannelMapGpadl(Chanel=channel#1)", { file: "x\u001b.calls" }),
    NotationError,
  );
  assertEquals(
    error.message,
    'Cannot read x\\u{1b}.calls:2:27: unknown name "Chanel" in the parameters of VmbChannelMapGpadl. Did you mean "Channel"?\n' +
      "  server VmbChannelMapGpadl(Chanel=channel#1)\n" +
      "                            ^",
  );
  assertEquals([error.line, error.column, error.name], [2, 27, "NotationError"]);
  assert(error instanceof SyntaxError);
});

Deno.test("NotationError cuts long lines and escapes what a terminal would act on", () => {
  const error = fails(`${ENABLE} -> ok ${" ".repeat(500)}\u001b[2J`, 1, "end of the line");
  assert(!error.message.includes("\u001b") && error.message.length < 400);
});

Deno.test("parseScenario() guesses misspelt names", () => {
  fails("sever VmbChannelEnable()", 1, 'Did you mean "server"?');
  fails("server VmbChanelEnable()", 1, 'Did you mean "VmbChannelEnable"?');
  fails(`${ENABLE}\n  callback client EvtVmbChanelOpened()`, 2, 'Did you mean "EvtVmbChannelOpened"?');
  fails("server VmbChannelMapGpadl(Flags=READ_ONLI)", 1, 'Did you mean "READ_ONLY"?');
  fails("server VmbChannelMapGpadl() -> STATUS_SUCESS", 1, 'Did you mean "STATUS_SUCCESS"?');
  fails("server VmbChannelMapGpadl() -> ok {Mld=$m}", 1, 'Did you mean "Mdl"?');
  fails("server VmbChannelMapGpadl(GpadlHandle=gpald#1)", 1, 'Did you mean "gpadl"?');
  fails("!option pagin=explicit", 1, 'Did you mean "paging"?');
  fails("machine FailNext(Call=VmbChannelMapGpad)", 1, 'Did you mean "VmbChannelMapGpadl"?');
  fails("umd D3DKMTCreateAllocation2(pAllocationInfo2=[{Sise=1}])", 1, 'Did you mean "Size"?');
  fails("expect state channel#1 opne", 1, 'Did you mean "open');
  fails(`${ENABLE} -> blocked @wait\nleave @wiat`, 2, 'Did you mean "wait"?');
});

Deno.test("parseScenario() refuses sides that cannot make a call, and calls in place of callbacks", () => {
  fails("umd VmbChannelEnable()", 1, "expected client or server as the side");
  fails("guest D3DKMTCloseAdapter()", 1, "expected umd or guest-umd");
  fails("server EvtVmbChannelOpened()", 1, "write callback before the side");
  fails(`${ENABLE}\n  callback client VmbChannelEnable()`, 2, "leave the word callback out");
  assertEquals(statements("client VmbChannelMapGpadl()").length, 1, "the wrong end may try");
});

Deno.test("parseScenario() refuses lines in the wrong place", () => {
  fails(`${ENABLE}\n!option paging=explicit`, 2, "before the first call");
  fails(`expect no findings\n${ENABLE}`, 2, "after the last call");
  fails("expect no findings\nexpect finding gpadl-leak", 2, "line 1 expects the contrary");
  fails(`${ENABLE}\n   callback client EvtVmbChannelOpened()`, 2, "there are 3");
  fails(`${ENABLE}\n\tno callbacks`, 2, "there is a tab");
  fails(`${ENABLE}\n    callback client EvtVmbChannelOpened()`, 2, "at most 2 spaces here: there are 4");
  fails("callback client EvtVmbChannelOpened()", 1, "under the call that made it");
  fails(`${ENABLE}\n  ${ENABLE}`, 2, "only callbacks stand under a call");
  fails(`  ${ENABLE}`, 1, "at most 0 spaces here: there are 2");
  fails(`${ENABLE}\n  no callbacks\n  callback client EvtVmbChannelOpened()`, 3, 'either callbacks or "no callbacks"');
  fails(`${ENABLE}\n  expect no findings`, 2, "only calls and callbacks are indented");
});

Deno.test("parseScenario() refuses labels that are taken, unknown or not waiting", () => {
  fails(`${ENABLE} @a\n${ENABLE} @a`, 2, "it stands on line 1");
  fails(`${ENABLE} -> ok @a\nleave @a`, 2, "-> blocked");
  fails(`${ENABLE} -> blocked @a\nleave @a\nleave @a`, 3, "has returned before");
  fails(`${ENABLE}\n  callback client EvtVmbChannelOpened() @a\nreturn @a`, 3, "a callback that is blocked");
  fails(`${ENABLE}\n  callback client EvtVmbChannelOpened() blocked`, 2, "@LABEL after blocked");
  fails("expect finding gpadl-leak at @nowhere", 1, "unknown label @nowhere");
  assertEquals(statements("expect finding gpadl-leak at @17").length, 1);
});

Deno.test("parseScenario() refuses values that do not fit their type", () => {
  fails("guest AllocateBuffer(ByteCount=0x100000000)", 1, "from 0 to 4294967295");
  fails("guest AllocateBuffer(ByteCount=-1)", 1, "from 0 to");
  fails("guest AllocateBuffer(ByteCount=0x10000000000000000)", 1, "up to 64 bits");
  fails("guest AllocateBuffer(ByteCount=12ab)", 1, "expected a value");
  fails("guest AllocateBuffer(ByteCount=BIG)", 1, "expected an integer for ByteCount");
  fails("guest AllocateBuffer(ByteCount=1, ByteCount=2)", 1, "given twice");
  fails("client VmbChannelAllocate(IsServer=1)", 1, "expected true or false");
  fails("gpu GpuAccess(Access=Read|Write)", 1, "expected one name");
  fails("host WriteMdl(Data=h'012')", 1, "two digits a byte");
  fails("host WriteMdl(Data=zero(0xffffffff))", 1, "up to 1073741824 bytes");
  fails("host WriteMdl(Data=fill(256, 1))", 1, "0 to 255");
  fails("umd D3DKMTEvict(AllocationList=allocation#1)", 1, "an array like");
  fails('client QueryInterface(InterfaceType="\\x")', 1, "escapes of the forms");
  fails('client QueryInterface(InterfaceType="a', 1, 'closing "');
  fails("host FreeMdl(Mdl=mdl#1) -> 5", 1, "returns nothing");
  fails(`umd D3DKMTEvict(AllocationList=${"[".repeat(20)})`, 1, "at most 16 deep");
  fails("!option paging=sometimes", 1, "explicit or immediate");
});

Deno.test("parseScenario() gives statements or a NotationError for any damage to a line", () => {
  const good =
    'umd D3DKMTCreateAllocation2(hDevice=$d+0x10, pAllocationInfo2=[{Size=0x40000}, {Flags=1}]) -> refused "a\\n" {hResource=$r} @x';
  fc.assert(
    fc.property(fc.nat(good.length), fc.nat(6), fc.string({ unit: "binary", maxLength: 4 }), (start, length, text) => {
      const damaged = good.slice(0, start) + text + good.slice(start + length);
      try {
        parseScenario(damaged);
      } catch (error) {
        assert(error instanceof NotationError, String(error));
        assertStringIncludes(error.message, "Cannot read line");
      }
    }),
    { seed: 7, numRuns: 600 },
  );
});
