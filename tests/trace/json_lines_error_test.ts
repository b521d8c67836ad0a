// Lines of JSON that are no events: the error names the line, the member and what was wanted.

import { JsonLinesError } from "../../src/trace/json_lines_error.ts";
import { JsonLinesParser, parseJsonLines } from "../../src/trace/json_lines_parse.ts";
import { assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";

function errorOf(line: string): JsonLinesError {
  return assertThrows(() => new JsonLinesParser().line(line), JsonLinesError);
}

/** A wrong line, the member that is wrong, and what the message says of it. */
const WRONG_LINES: readonly (readonly [string, string, string])[] = [
  ["{", "", "is not JSON"],
  ["[]", "", "it must be an object"],
  ['{"event":1}', "kind", 'kind is missing; it must be "call"'],
  ['{"kind":"call","call":"VmbChannelDisable"}', "side", "side is missing"],
  ['{"kind":"call","side":"client"}', "call", "call is missing"],
  ['{"kind":"call","side":"client","call":"VmbNope"}', "call", '"VmbNope"; it must be the name of a declared call'],
  ['{"kind":"call","side":"client","call":"EvtVmbChannelOpened"}', "kind", "is a callback"],
  ['{"kind":"call","side":"client","call":"VmbChannelEnable"}', "outcome", "outcome is missing; it must be a status"],
  [
    '{"kind":"call","side":"client","call":"VmbChannelDisable","outcome":"STATUS_SUCCESS"}',
    "outcome",
    '"void" or "refused"',
  ],
  ['{"kind":"call","side":"guest","call":"AllocateBuffer","outcome":"value"}', "value", "value is missing"],
  [
    '{"kind":"call","side":"client","call":"VmbChannelDisable","args":{"Channel":"nope#1"}}',
    "args.Channel",
    '"channel#1"',
  ],
  ['{"kind":"call","side":"client","call":"VmbChannelDisable","args":{"Channel":true}}', "args.Channel", "true"],
  [
    '{"kind":"call","side":"guest","call":"AllocateBuffer","args":{"ByteCount":4294967296}}',
    "args.ByteCount",
    "0 to 4294967295",
  ],
  ['{"kind":"call","side":"guest","call":"AllocateBuffer","args":{"ByteCount":1.5}}', "args.ByteCount", "1.5"],
  [
    '{"kind":"call","side":"machine","call":"AdvanceTime","args":{"Nanoseconds":9007199254740993}}',
    "args.Nanoseconds",
    'as a string like "0x',
  ],
  ['{"kind":"call","side":"guest","call":"WriteBuffer","args":{"Data":"abc"}}', "args.Data", "even number"],
  ['{"kind":"note","event":0}', "event", "above 0"],
  ['{"kind":"note","cause":-1}', "cause", "a whole number"],
  ['{"kind":"note","timeNs":-1}', "timeNs", "nanoseconds"],
  ['{"kind":"note","handles":{"x":1}}', "handles.x", "gpadl#1"],
  ['{"kind":"note","handles":{"gpadl#1":"x"}}', "handles.gpadl#1", "below 2^53"],
  ['{"kind":"note","site":{}}', "site.file", "a string"],
  ['{"kind":"memory"}', "memory", "memory is missing"],
  [
    '{"kind":"memory","memory":{"partition":"moon","page":1,"offset":0,"length":0,"digest":0}}',
    "memory.partition",
    '"guest"',
  ],
  [
    '{"kind":"memory","memory":{"partition":"guest","page":1,"offset":4095,"length":2,"digest":0}}',
    "memory.length",
    "at most 1",
  ],
  ['{"schema":"maptrail.trace/2"}', "schema", "maptrail.trace/1"],
  [
    '{"schema":"maptrail.trace/1","options":{"paging":"sometimes"}}',
    "header.options.paging",
    "explicit or immediate",
  ],
  ['{"schema":"maptrail.trace/1","end":{"reason":7}}', "header.end.reason", '"ended"'],
];

Deno.test("JsonLinesError names the line, the member and what was wanted", () => {
  for (const [line, member, wanted] of WRONG_LINES) {
    const error = errorOf(line);
    assertEquals([error.line, error.member], [1, member], line);
    assertStringIncludes(error.message, "Cannot read line 1: ", line);
    assertStringIncludes(error.message, wanted, line);
  }
});

Deno.test("parseJsonLines() stops at the line that is wrong, after the events before it", () => {
  const parsed = parseJsonLines(['{"kind":"note","text":"a"}', "", '{"kind":"note","event":1}']);
  assertEquals(parsed.events.next().value?.text, "a");
  assertEquals(assertThrows(() => parsed.events.next(), JsonLinesError).line, 3);
});
