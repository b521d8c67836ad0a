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

Deno.test("importJsonLines() keeps what is good around lines that are no JSON, and says what they cost", () => {
  const list = new EventList();
  for (let event = 1; event <= 5; event += 1) list.call("client", "VmbChannelDisable", { Channel: ref("channel", 1) });
  const end = { reason: "ended", message: "", events: 5 } as const;
  const lines = [...jsonLines({ header: header(), end, events: () => list.events })];
  const cutAt = (line: number) =>
    lines.slice(0, line).map((text, index) => index === line - 1 ? text.slice(0, 60) : text);
  const cut = importJsonLines(cutAt(5));
  assertEquals([...cut.events].map(({ event }) => event), [1, 2, 3]);
  assertEquals(cut.header.losses.map(({ what, firstEvent, lastEvent }) => [what, firstEvent, lastEvent]), [
    ["line 5 is no JSON", 0, 0],
    ["events 4 to 5 are not in the log: it was cut", 4, 5],
  ]);
  const damaged = importJsonLines(lines.map((text, index) => index === 2 || index === 3 ? text.slice(1) : text));
  assertEquals([...damaged.events].map(({ event }) => event), [1, 4, 5]);
  assertEquals(damaged.header.losses, [
    { what: "2 of the lines 3 to 4 are no JSON: events 2 to 3 are lost", firstEvent: 2, lastEvent: 3, offsetBytes: -1 },
  ]);
  assertEquals(damaged.report.undecodable.map(({ count, firstOffset }) => [count, firstOffset]), [[2, 3]]);
  const headless = importJsonLines(lines.map((text, index) => index === 0 ? text.slice(1) : text));
  assertEquals([headless.header.maker, headless.header.losses.map(({ what }) => what)], ["json", [
    "line 1 is no JSON",
  ]]);
  const torn = Array.from(
    { length: 3000 },
    (_, index) => index % 2 === 0 ? `{"kind":"note","event":${index + 1}}` : "{",
  );
  const { losses } = importJsonLines(torn).header;
  assertEquals([losses.length, losses.at(-1)?.firstEvent, losses.at(-1)?.lastEvent], [256, 512, 2998]);
  assertThrows(() => importJsonLines(['{"kind":', "nothing"]), Error, "Cannot read line 1: it is not JSON");
});
