// Values and lists that stand in rows of objects, against maps.
import fc from "fast-check";
import { ObjectRows } from "../../src/audit/object_rows.ts";
import { linksOf, Owned } from "../../src/audit/owned.ts";
import { RowValues } from "../../src/audit/row_values.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

const nobody = () => false;

Deno.test("RowValues holds what a map holds, whatever numbers want its place", () => {
  const step = fc.record({
    number: fc.nat(40),
    value: fc.oneof(fc.integer({ min: -9, max: 9 }), fc.record({ thing: fc.nat(9) })),
    verb: fc.constantFrom("set", "set", "delete", "touch"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const rows = new ObjectRows(1, nobody, 4);
      const values = new RowValues<{ readonly thing: number }>(rows);
      const map = new Map<number, number | { readonly thing: number }>();
      for (const { number, value, verb } of steps) {
        if (verb === "set") {
          values.set(number, value);
          map.set(number, value);
        } else if (verb === "delete") assertEquals(values.delete(number), map.delete(number));
        else rows.add(number);
        assertEquals(values.size, map.size);
        assertEquals(values.get(number), map.get(number));
        assertEquals(values.has(number), map.has(number));
      }
      const sorted = [...map].sort(([left], [right]) => left - right).map(([, value]) => value);
      assertEquals(values.values(), sorted);
      values.clear();
      assertEquals(values.size, 0);
    }),
  );
});

Deno.test("Owned knows what each owner has, in two kinds of owners with one list of links", () => {
  const step = fc.record({ kind: fc.nat(1), owner: fc.nat(9), child: fc.nat(12), isRow: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const owners = [new ObjectRows(1, nobody, 4), new ObjectRows(1, nobody, 4)] as const;
      const children = new ObjectRows(1, (cells, row) => cells[row] !== 0, 4);
      const links = linksOf(children);
      const lists = owners.map((rows) => new Owned(rows, links));
      const expected = new Map<number, { readonly kind: number; readonly owner: number }>();
      for (const { kind, owner, child, isRow } of steps) {
        const own = expected.get(child);
        if (isRow) owners[0].add(owner);
        if (own !== undefined) {
          lists[own.kind]?.delete(own.owner, child);
          expected.delete(child);
          children.cells[children.find(child)] = 0;
        } else {
          const row = children.add(child);
          children.cells[row] = 1;
          lists[kind]?.add(owner, child);
          expected.set(child, { kind, owner });
        }
        for (const [each, list] of lists.entries()) {
          for (let number = 0; number < 10; number += 1) {
            const wanted = [...expected].filter(([, of]) => of.kind === each && of.owner === number)
              .map(([owned]) => owned).sort();
            assertEquals([...list.of(number)].sort(), wanted);
            assertEquals(list.has(number), wanted.length > 0);
          }
        }
      }
    }),
  );
});

Deno.test("ObjectRows keeps a row that somebody who shares it wants, and shares none once there is one", () => {
  const rows = new ObjectRows(1, nobody, 2);
  const share = rows.share(2, (cells, row) => cells[row + 1] === 7);
  share.cells[share.add(1) + 1] = 7;
  share.add(2);
  share.add(3);
  share.add(4);
  assertEquals(share.cells[share.find(1) + 1], 7);
  assertEquals(rows.find(2), -1);
  assertThrows(() => rows.share(1, nobody), Error, "until the first is there");
});
