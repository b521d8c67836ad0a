// `--sites findings`: the run is not slowed down for it, and the second run is held against the first.
import { bytesSource, openTrace } from "../../src/trace/mod.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { inPlace } from "./place.ts";

Deno.test("only the sites of what findings name are taken, in a second run of which nothing else is left", () =>
  inPlace(async (place) => {
    place.put(
      "p.ts",
      `export default async ({ client, machine }) => {
  await client.VmbChannelAllocate({});
  for (let turn = 0; turn < 5; turn += 1) await machine.AdvanceTime({ Nanoseconds: 1 });
};`,
    );
    assertEquals((await place.run("record p.ts -o t --sites findings")).code, 0);
    const sited = [...openTrace(bytesSource(place.bytes("t"))).events()].filter(({ site }) => site !== null);
    assertEquals(sited.map(({ event }) => event), [1]);
    assertEquals(place.names(), ["p.ts", "t"]);
  }));

Deno.test("a second run that only has another thread in it is not the same run", () =>
  inPlace(async (place) => {
    place.put(
      "p.ts",
      `let runs = 0;
export default async ({ client, spawn }) => {
  runs += 1;
  await client.VmbChannelAllocate({});
  await spawn("thread " + runs, async ({ machine }) => void await machine.AdvanceTime({ Nanoseconds: 1 }));
};`,
    );
    const { code, err } = await place.run("record p.ts --sites findings");
    assertEquals(code, 5, err);
    assertStringIncludes(err, "the second run differs from @2 on");
    assert(place.names().includes("p.msgpack"));
  }));

Deno.test("a part of a run keeps its selection when sites are added", () =>
  inPlace(async (place) => {
    assertEquals((await place.run("record gpu-pv-leak -o t --sites findings --call *Gpadl*")).code, 0);
    const { header, complete } = openTrace(bytesSource(place.bytes("t")));
    assertEquals([header.leftOut, complete], [["calls other than *Gpadl*"], true]);
  }));

Deno.test("the second run overwrites no file unasked", () =>
  inPlace(async (place) => {
    place.put("t.sites", "kept");
    const refused = await place.run("record gpu-pv-leak -o t --sites findings");
    assertEquals([refused.code, place.names()], [2, ["t.sites"]]);
    assertStringIncludes(refused.err, 'the second run goes to "t.sites", which exists');
    assertEquals(new TextDecoder().decode(place.bytes("t.sites")), "kept");
    assertEquals((await place.run("record gpu-pv-leak -o t --sites findings --force")).code, 0);
    assertEquals(place.names(), ["t"]);
  }));
