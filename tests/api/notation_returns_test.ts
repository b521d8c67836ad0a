// What stands behind a callback's arrow: a value, what the driver gives back in its out parameters, or both.

import {
  type CallbackStatement,
  evaluateOuts,
  evaluateReturn,
  NotationError,
  parseScenario,
  planOf,
  printOutcome,
  type Statement,
} from "../../src/api/mod.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { mapEnvironment } from "./notation_values.ts";

const CALL = "server VmbChannelSaveContinue(Channel=channel#1)";
const EVENT = "callback server EvtVmbChannelSavePacket(Channel=channel#1)";

function parse(returned: string): CallbackStatement {
  const callback = parseScenario(`${CALL}\n  ${EVENT}${returned}`).statements[1];
  assert(isCallback(callback));
  return callback;
}

function isCallback(statement: Statement | undefined): statement is CallbackStatement {
  return statement?.form === "callback";
}

function meaning(returned: string): unknown {
  const { returns, outs, plan } = parse(returned);
  const env = mapEnvironment();
  return [evaluateReturn(returns, plan, env), evaluateOuts(outs, plan, env)];
}

Deno.test("a callback's line says a status, outputs, both or neither", () => {
  const success = { form: "status", status: 0 };
  assertEquals(meaning(""), [success, {}]);
  assertEquals(meaning(" -> STATUS_UNSUCCESSFUL"), [{ form: "status", status: 0xc0000001 }, {}]);
  assertEquals(meaning(" -> {BytesNeeded=8}"), [success, { BytesNeeded: 8 }]);
  assertEquals(meaning(" -> STATUS_BUFFER_TOO_SMALL {BytesNeeded=0x10, SaveBuf=h'0102'} @label"), [
    { form: "status", status: 0xc0000023 },
    { BytesNeeded: 16, SaveBuf: Uint8Array.of(1, 2) },
  ]);
});

Deno.test("a return line says what a callback's line says", () => {
  const text = `${CALL} -> blocked @c\n  ${EVENT} blocked @b\nreturn @b -> STATUS_SUCCESS {BytesNeeded=3} @end`;
  const last = parseScenario(text).statements[2];
  assert(last?.form === "return");
  assertEquals([last.outs.map(({ name }) => name), last.label], [["BytesNeeded"], "end"]);
});

Deno.test("what is printed of a callback's return reads back", () => {
  const plan = planOf("EvtVmbChannelSavePacket");
  const outcome = { form: "status", status: 0 } as const;
  const text = printOutcome({ plan, outcome, outs: [Uint8Array.of(1), 1] });
  assertEquals(text, "STATUS_SUCCESS {SaveBuf=h'01', BytesNeeded=1}");
  assertEquals(meaning(` -> ${text}`), [outcome, { SaveBuf: Uint8Array.of(1), BytesNeeded: 1 }]);
});

Deno.test("outputs that a callback does not have, or of another type, are refused where they stand", () => {
  for (
    const [returned, message] of [
      [" -> STATUS_SUCCESS {Bytes=8}", 'unknown name "Bytes" in the outputs of EvtVmbChannelSavePacket'],
      [" -> {SaveBufSize=8}", "the outputs of EvtVmbChannelSavePacket"],
      [" -> {BytesNeeded=h'00'}", "BytesNeeded"],
      [" -> {BytesNeeded=1, BytesNeeded=2}", "given twice"],
    ] as const
  ) assertThrows(() => parse(returned), NotationError, message);
  const none = `${CALL}\n  callback server EvtVmbChannelOpened(Channel=channel#1) -> STATUS_SUCCESS {BytesNeeded=8}`;
  assertThrows(() => parseScenario(none), NotationError, "the end of the line");
});
