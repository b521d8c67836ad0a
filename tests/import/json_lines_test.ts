// JSON lines as an import: exact round trips, lines of other makers, and what is wrong by line and member.

import { importJsonLines } from "../../src/import/json_lines.ts";
import { jsonLines } from "../../src/trace/json_lines.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";
import { EventList, header, ref } from "../support/events.ts";

const LINE = '{"event":1,"kind":"call","side":"client","call":"VmbChannelDisable","args":{"Channel":"channel#1"}}';

Deno.test("importJsonLines() ends lines without a header as imported, and says where each event stands", () => {
  const imported = importJsonLines([LINE, "", LINE.replace('"event":1', '"event":9,"x":1'), '{"kind":"note"}']);
  assertEquals([...imported.events].map(({ event }) => event), [1, 9, 10]);
  assertEquals([...imported.events].length, 3);
  assertEquals([imported.header.maker, imported.header.program.kind], ["json", "import"]);
  assertEquals(imported.end, { reason: "imported", message: "", events: 3 });
  assertEquals(imported.ignored.count, 1);
  assertEquals(imported.report.notes, ["1 × member x, first on line 3, which nobody declared, was ignored"]);
  assertEquals(imported.report.imported, [
    { id: null, name: "VmbChannelDisable", count: 2 },
    { id: null, name: "note", count: 1 },
  ]);
  assertEquals([1, 9, 10].map((event) => imported.report.offsetOf(event)), [1, 3, 4]);
  assertThrows(() => imported.report.offsetOf(2), RangeError, "@2");
});

Deno.test("importJsonLines() refuses a source that can be walked once, and a line that is wrong anywhere", () => {
  assertThrows(() => importJsonLines([LINE].values()), TypeError, "walked once");
  assertThrows(() => importJsonLines([LINE, LINE]), Error, "Cannot read line 2: event is 1");
});

Deno.test("importJsonLines() brings a dump back as the trace it was", () => {
  const list = new EventList();
  list.call("client", "VmbChannelDisable", { Channel: ref("channel", 1) });
  const end = { reason: "ended", message: "", events: 1 } as const;
  const lines = [...jsonLines({ header: header(), end, events: () => list.events })];
  const imported = importJsonLines(lines);
  assertEquals([imported.header, imported.end, [...imported.events]], [header(), end, list.events]);
});

Deno.test("importJsonLines() refuses an answer to nothing, or to what it cannot answer: no reader would take it", () => {
  const enter = LINE.replace('"call"', '"enter"');
  const leave = (of: string) => `{"event":2,"kind":"leave","side":"client","call":"VmbChannelDisable"${of}}`;
  assertEquals([...importJsonLines([enter, leave(',"of":1')]).events].length, 2);
  assertThrows(() => importJsonLines([enter, leave("")]), Error, "Cannot read line 2: a leave is of event 0");
  assertThrows(
    () => importJsonLines([LINE, leave(',"of":1')]),
    Error,
    "Cannot read line 2: a leave of event 1, which is a call",
  );
  const caused = '{"event":2,"kind":"note","cause":1}';
  assertThrows(
    () => importJsonLines(['{"kind":"note"}', caused]),
    Error,
    "Cannot read line 2: its cause is event 1, which is a note",
  );
});
