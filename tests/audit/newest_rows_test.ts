// Tables of numbers, queues, places and the book of notes, each against a plain one.
import fc from "fast-check";
import { LiveRows, NewestRows } from "../../src/audit/newest_rows.ts";
import { Places } from "../../src/audit/places.ts";
import { Queue } from "../../src/audit/queue.ts";
import { NoteBook, NOTES_LISTED } from "../../src/audit/repeats.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("NewestRows keeps the newest keys with their rows, as a plain list of them does", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(12), { maxLength: 80 }), (keys) => {
      const rows = new NewestRows(2, 5);
      const plain: { readonly key: number; value: number }[] = [];
      for (const [value, key] of keys.entries()) {
        const row = rows.row(key);
        rows.put(row, 1, value);
        const known = plain.find((each) => each.key === key);
        if (known === undefined) plain.push({ key, value });
        else known.value = value;
        if (plain.length > 5) plain.shift();
        for (let each = 0; each <= 12; each += 1) {
          const found = rows.find(each);
          assertEquals(found < 0 ? undefined : rows.at(found, 1), plain.find((other) => other.key === each)?.value);
        }
      }
    }),
    { seed: 1, numRuns: 100 },
  );
});

Deno.test("NewestRows and LiveRows grow, and LiveRows gives room again", () => {
  const newest = new NewestRows(3);
  const live = new LiveRows(3);
  for (let key = 0; key < 5000; key += 1) {
    newest.put(newest.row(key), 2, key + 1);
    live.put(live.add(key), 2, key + 1);
  }
  assertEquals([newest.at(newest.find(4999), 2), live.at(live.find(17), 2), live.size], [5000, 18, 5000]);
  const freed = live.find(17);
  live.remove(17);
  assertEquals([live.find(17), live.add(6000), live.size], [-1, freed, 5000]);
  assertEquals([...live.keys()].at(-1), 6000);
});

Deno.test("Queue gives back what it took, in order, however much is gone", () => {
  const queue = new Queue<number>();
  let next = 0;
  for (let value = 1; value <= 9000; value += 1) {
    queue.push(value);
    if (value % 3 !== 0) assertEquals(queue.shift(), ++next);
  }
  assertEquals([queue.size, queue.first], [9000 - next, next + 1]);
  while (queue.size > 0) assertEquals(queue.shift(), ++next);
  assertEquals([next, queue.shift(), queue.first], [9000, undefined, undefined]);
});

Deno.test("Places numbers a place once, whatever chunk its site comes from", () => {
  const places = new Places();
  const site = (line: number) => ({ file: "a.ts", line, column: 1, function: "share" });
  const first = places.numberOf({ call: "A", site: site(1), side: "guest" });
  assertEquals(places.numberOf({ call: "A", site: site(2), side: "guest" }) === first, false);
  assertEquals(places.numberOf({ call: "A", site: site(1), side: "guest" }), first);
  assertEquals(places.numberOf({ call: "A", site: site(1), side: "host" }) === first, false);
  assertEquals(places.at(first), { call: "A", site: site(1), side: "guest" });
});

Deno.test("NoteBook lists so many notes of a defect, and of a rule the first of each further defect, and counts the rest", () => {
  const notes = new NoteBook();
  let listed = 0;
  for (let event = 1; event <= NOTES_LISTED + 7; event += 1) {
    if (notes.take("V-04", { defect: "a", event })) listed += 1;
  }
  assertEquals(listed, NOTES_LISTED);
  assertEquals(notes.find("a"), { listed: NOTES_LISTED, repeated: 7, lastEvent: NOTES_LISTED + 7 });
  for (let defect = 0; defect < 20_000; defect += 1) notes.take("V-03", { defect: `b${defect}`, event: 1 });
  assertEquals(notes.take("V-03", { defect: "new", event: 2 }), true);
  assertEquals(notes.take("V-03", { defect: "new", event: 3 }), false);
  assertEquals(notes.take("V-04", { defect: "c", event: 3 }), true);
});
