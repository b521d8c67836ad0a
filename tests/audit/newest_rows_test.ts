// Tables of numbers, queues, places and the book of notes, each against a plain one.
import fc from "fast-check";
import { NewestRows } from "../../src/audit/newest_rows.ts";
import { ObjectRows } from "../../src/audit/object_rows.ts";
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

Deno.test("NewestRows grows", () => {
  const newest = new NewestRows(3);
  for (let key = 0; key < 5000; key += 1) newest.put(newest.row(key), 2, key + 1);
  assertEquals([newest.at(newest.find(4999), 2), newest.at(newest.find(17), 2)], [5000, 18]);
});

/** Rows of two columns: a value, and whether the row may go. */
function objectRows(limit: number): ObjectRows {
  return new ObjectRows(2, (cells, row) => cells[row + 1] === 0, limit);
}

Deno.test("ObjectRows keeps what is kept whatever its number, and the rest as long as there is room", () => {
  const step = fc.record({ number: fc.oneof(fc.nat(40), fc.nat(2 ** 40)), isOver: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const rows = objectRows(8);
      const kept = new Map<number, number>();
      const all = new Map<number, number>();
      for (const [value, { number, isOver }] of steps.entries()) {
        if (!isOver) {
          const row = rows.add(number);
          rows.cells[row] = value + 1;
          rows.cells[row + 1] = 0;
          kept.set(number, value + 1);
          all.set(number, value + 1);
        } else if (kept.delete(number)) {
          rows.cells[rows.find(number) + 1] = 1;
          rows.settle(number);
        }
        for (const [each, last] of all) {
          const row = rows.find(each);
          if (kept.has(each) || row >= 0) assertEquals([each, rows.cells[row]], [each, last]);
        }
        assertEquals(rows.numbers().filter((each) => kept.has(each)), [...kept.keys()].sort((a, b) => a - b));
      }
      // In front there is one row for each place, behind are those that are kept and as many that were.
      assertEquals(rows.numbers().length <= kept.size + 2 * 8, true);
    }),
    { seed: 3, numRuns: 300 },
  );
});

Deno.test("ObjectRows remembers the newest that nobody keeps, and gives a new row zeros", () => {
  const rows = objectRows(1024);
  for (let number = 1; number <= 5000; number += 1) {
    const row = rows.add(number);
    assertEquals([rows.cells[row], rows.cells[row + 1]], [0, 0]);
    rows.cells[row] = number;
    rows.cells[row + 1] = number === 7 ? 0 : 1;
  }
  assertEquals([3976, 3977, 5000, 7].map((number) => rows.find(number) >= 0), [false, true, true, true]);
  assertEquals([rows.cells[rows.find(7)], rows.cells[rows.find(3977)]], [7, 3977]);
  assertEquals(rows.numbers().length, 1025);
  rows.cells[rows.find(7) + 1] = 1;
  rows.settle(7);
  assertEquals(rows.find(7) >= 0, true);
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
  assertEquals(notes.count("V-04", { defect: "a", event: 5000 }), true);
  assertEquals(notes.find("a"), { listed: NOTES_LISTED, repeated: 8, lastEvent: 5000 });
  assertEquals(notes.count("V-04", { defect: "unknown", event: 1 }), false);
  for (let defect = 0; defect < 20_000; defect += 1) notes.take("V-03", { defect: `b${defect}`, event: 1 });
  assertEquals(notes.take("V-03", { defect: "new", event: 2 }), true);
  assertEquals(notes.take("V-03", { defect: "new", event: 3 }), false);
  assertEquals(notes.take("V-04", { defect: "c", event: 3 }), true);
});
