// Arguments in JSON lines that no declaration has: what they were meant for would silently be 0.
import { JsonLinesError, JsonLinesParser } from "../../src/trace/mod.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

const HEAD = '{"kind":"call","side":"guest","call"';

/** A line, the member that nobody declared, and what the message says of it. */
const LINES: readonly (readonly [string, string, string])[] = [
  [
    `${HEAD}:"AllocateBuffer","args":{"ByteCuont":1},"outcome":"value","value":null}`,
    "args.ByteCuont",
    'args has no member "ByteCuont". Did you mean "ByteCount"?',
  ],
  [
    `${HEAD}:"FreeBuffer","args":{"__proto__":{"Buffer":1}},"outcome":"void"}`,
    "args.__proto__",
    'args has no member "__proto__". There are Buffer.',
  ],
  [
    `${HEAD}:"VmbChannelAllocate","outcome":"STATUS_SUCCESS","outs":{"Chanel":"channel#1"}}`,
    "outs.Chanel",
    'outs has no member "Chanel". Did you mean "Channel"?',
  ],
  [
    `${HEAD}:"D3DKMTCreateAllocation2","args":{"pAllocationInfo2":[{"Sise":1}]},"outcome":"STATUS_SUCCESS"}`,
    "args.pAllocationInfo2[0].Sise",
    'args.pAllocationInfo2[0] has no member "Sise". Did you mean "Size"?',
  ],
];

Deno.test("an argument that nobody declared is refused, with its line and what was meant", () => {
  for (const [line, member, says] of LINES) {
    const parser = new JsonLinesParser();
    parser.line('{"kind":"note"}');
    const error = assertThrows(() => parser.line(line), JsonLinesError);
    assertEquals([error.line, error.member, error.message], [2, member, `Cannot read line 2: ${says}`]);
  }
});
