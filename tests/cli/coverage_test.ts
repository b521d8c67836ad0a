// `explain --coverage` of traces and of a folder of traces: the same clauses, for people and for machines.
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { inPlace } from "./place.ts";

Deno.test("explain --coverage takes traces or a folder of them, and says what none of them exercised", () =>
  inPlace(async (place) => {
    for (const name of ["double-map", "delete-deadlock"]) {
      assertEquals((await place.run(`record ${name} -o ${name}.msgpack --quiet`)).code, 0);
    }
    const named = await place.run("explain --coverage double-map.msgpack delete-deadlock.msgpack");
    const folder = await place.run("explain --coverage .");
    assertEquals([named.code, folder.code], [0, 0], named.err + folder.err);
    assertEquals(named.out, folder.out);
    assertMatch(folder.out, /^Documented clauses exercised in 2 traces\n/);
    assertMatch(folder.out, /\n {2}KMCL calls +\d+ %, \d+ of \d+ clauses, 0 calls not modelled\n/);
    assertMatch(folder.out, /(\n(KMCL|GPU): +\d+ %, \d+ of \d+ clauses, 0 calls not modelled){2}\n$/);
    const { out } = await place.run("explain --coverage . --json");
    const { schema, traces, families }: { schema: string; traces: number; families: readonly unknown[] } = JSON
      .parse(out);
    assertEquals([schema, traces], ["maptrail.coverage/1", 2]);
    assert(families.length > 10);
  }));

Deno.test("explain --coverage of a folder without traces says so", () =>
  inPlace(async (place) => {
    const { code, err } = await place.run("explain --coverage .");
    assertEquals(code, 3);
    assertMatch(err, /Name a folder with traces: no \*\.msgpack file in \./);
  }));
