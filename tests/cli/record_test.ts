// What `record` promises beside its trace: one seed one run, the flags that say what is kept, and traces of runs that
// end early.
import { assert, assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "../support/assert.ts";
import { bytesSource, openTrace, type TraceEvent } from "../../src/trace/mod.ts";
import { fakeSystem } from "./fake_system.ts";
import { inPlace, type Place } from "./place.ts";

function eventsOf(place: Place, name: string): TraceEvent[] {
  return [...openTrace(bytesSource(place.bytes(name))).events()];
}

const LEAKING = `export default async ({ client, guest, machine, args, random, spawn }) => {
  const { Channel } = await client.VmbChannelAllocate({});
  await client.VmbChannelInitSetFriendlyName({ Channel, Name: args.join("|") });
  const thread = spawn("other", async (other) => {
    await other.guest.AllocateBuffer({ ByteCount: 4096 });
    await other.machine.AdvanceTime({ Nanoseconds: 3 });
  });
  for (let turn = 0; turn < 5; turn += 1) await machine.AdvanceTime({ Nanoseconds: random.below(1000) });
  await thread;
};
`;

Deno.test("--wall-clock off: same program and seed, same bytes, in another folder too; another seed is another schedule", () =>
  inPlace(async (place) => {
    Deno.mkdirSync(place.path("deep/er"), { recursive: true });
    place.put("p.ts", LEAKING);
    place.put("deep/er/p.ts", LEAKING);
    for (const [name, words] of [["a", "p.ts"], ["b", "p.ts"], ["c", "deep/er/p.ts"], ["d", "p.ts --seed 2"]]) {
      const ran = await place.run(`record ${words} -o ${name} --wall-clock off --sites all`);
      assertEquals(ran.code, 0, ran.err);
    }
    assertEquals(place.bytes("a"), place.bytes("b"));
    assertEquals(place.bytes("a"), place.bytes("c"));
    assertNotEquals(place.bytes("a"), place.bytes("d"));
    assertEquals((await place.run("diff a d")).code, 1);
    await place.run("record gpu-pv -o e --wall-clock off");
    await place.run("record gpu-pv -o f --wall-clock off");
    assertEquals(place.bytes("e"), place.bytes("f"));
  }));

Deno.test("what stands behind -- is the program's, and only programs take it", () =>
  inPlace(async (place) => {
    place.put("p.ts", LEAKING);
    assertEquals((await place.run(["record", "p.ts", "-o", "a", "--", "x y", "--seed", "--"])).code, 0);
    assertStringIncludes((await place.run("dump a")).out, 'Name="x y|--seed|--"');
  }));

Deno.test("--sites keeps the places of all calls, of creating ones, of those that findings name, or of none", () =>
  inPlace(async (place) => {
    const sites = async (which: string) => {
      const ran = await place.run(`record gpu-pv-leak -o ${which} --sites ${which}`);
      assertEquals(ran.code, 0, ran.err);
      return eventsOf(place, which).filter(({ site }) => site !== null).map(({ event }) => event);
    };
    const all = await sites("all");
    const creating = await sites("creating");
    const findings = await sites("findings");
    assertEquals(await sites("off"), []);
    assert(all.length > creating.length && creating.every((event) => all.includes(event)));
    const { out } = await place.run("audit findings --json");
    const named: number[] = JSON.parse(out).findings.flatMap((finding: { evidence: { event: number }[] }) =>
      finding.evidence.map(({ event }) => event)
    );
    assert(named.every((event) => findings.includes(event) || !all.includes(event)));
    assert(findings.length > 0 && findings.every((event) => named.includes(event)));
    for (const other of ["creating", "findings", "off"]) assertEquals((await place.run(`diff all ${other}`)).code, 0);
    assertEquals(place.names(), ["all", "creating", "findings", "off"]);
  }));

Deno.test("the fingerprint of a leak is the same whatever else --sites keeps, and under another seed", () =>
  inPlace(async (place) => {
    const prints = async (flags: string) => {
      await place.run(`record gpu-pv-leak -o t --force ${flags}`);
      const { out } = await place.run("audit t --json --rule sysmem-gpadl-leak");
      return new Set(JSON.parse(out).findings.map(({ fingerprint }: { fingerprint: string }) => fingerprint));
    };
    const usual = await prints("--seed 1");
    assertEquals(usual.size, 1);
    assertEquals(await prints("--sites all"), usual);
    assertEquals(await prints("--sites findings"), usual);
    assertEquals(await prints("--seed 99"), usual);
  }));

Deno.test("--sites findings says so where a program depends on more than its seed, and keeps the trace", () =>
  inPlace(async (place) => {
    place.put(
      "p.ts",
      `let runs = 0;
export default async ({ client, machine }) => {
  await client.VmbChannelAllocate({});
  runs += 1;
  for (let turn = 0; turn < runs; turn += 1) await machine.AdvanceTime({ Nanoseconds: 1 });
};`,
    );
    const { code, err } = await place.run("record p.ts --sites findings");
    assertEquals(code, 5);
    assertMatch(err, /Cannot take the sites of findings: the second run differs from @3 on/);
    assertEquals(place.names(), ["p.msgpack", "p.ts"]);
    assertEquals((await place.run("replay p.msgpack")).code, 0);
  }));

Deno.test("--memory full keeps bytes, digest their checksums, none nothing; findings and replay are the same", () =>
  inPlace(async (place) => {
    const findings = new Set<string>();
    for (const memory of ["full", "digest", "none"]) {
      assertEquals((await place.run(`record gpu-pv-leak -o ${memory} --memory ${memory}`)).code, 0);
      const deltas = eventsOf(place, memory).filter(({ kind }) => kind === "memory");
      assertEquals([deltas.length > 0, deltas.some(({ memory }) => memory?.bytes !== null)], [
        memory !== "none",
        memory === "full",
      ]);
      assertEquals((await place.run(`replay ${memory}`)).code, 0);
      const { out } = await place.run(`audit ${memory} --json --rule sysmem-gpadl-leak`);
      findings.add(
        JSON.stringify(JSON.parse(out).findings.map(({ fingerprint }: { fingerprint: string }) => fingerprint)),
      );
    }
    assertEquals(findings.size, 1);
  }));

Deno.test("--option changes the model at record and at replay, where it may diverge", () =>
  inPlace(async (place) => {
    await place.run("record gpu-pv-leak -o t --option gpadl-limit=5");
    assertStringIncludes((await place.run("audit t")).out, "5 GPADLs of allocations created");
    assertEquals((await place.run("replay t")).code, 0);
    const { code, out } = await place.run("replay t --option gpadl-limit=4");
    assertEquals(code, 1);
    assertMatch(
      out,
      /diverged at @\d+ VmbChannelCreateGpadlFromBuffer: result\n {2}recorded {3}STATUS_SUCCESS\n {2}replayed {3}STATUS_QUOTA_EXCEEDED/,
    );
  }));

Deno.test("a program that throws is exit code 5; its trace is whole, says why it ended, and holds nothing against what lived", () =>
  inPlace(async (place) => {
    const bodies = new Map([
      ["main", 'throw new Error("boom\\nsecond line");'],
      ["thread", 'await spawn("t", async () => { throw new Error("boom"); });'],
      ["string", 'throw "boom";'],
      ["textless", "throw Object.create(null);"],
    ]);
    for (const [name, body] of bodies) {
      place.put(
        `${name}.ts`,
        `export default async ({ client, spawn }) => {
  await client.VmbChannelAllocate({});
  ${body}
};`,
      );
      const { code, err } = await place.run(`record ${name}.ts`);
      assertEquals(code, 5, err);
      assertMatch(
        err,
        /^The program threw after @1(?: at (?:main|thread)\.ts:3)?: (?:boom|something that has no text); 1 event kept\.\n/,
      );
      assert(!/^\s+at /m.test(err), err);
      const audit = await place.run(`audit ${name}.msgpack`);
      assertEquals(audit.code, 0);
      assertMatch(audit.err, /the recording ended early, after @1 \(threw\): /);
      assertMatch(audit.out, /channel-leak .*\[live-at-end\]\n/);
      assertMatch(audit.out, /1 not certain in 1 event \(complete, of a run that ended early\)\n$/);
      assertEquals((await place.run(`replay ${name}.msgpack`)).code, 0);
      assertStringIncludes((await place.run(`dump ${name}.msgpack`)).out, "VmbChannelAllocate");
    }
  }));

Deno.test("Ctrl-C ends a recording, also one that waits for something that is not the scheduler's: whole, exit code 5", () =>
  inPlace(async (place) => {
    const system = fakeSystem(place.folder);
    addEventListener("test-ctrl-c", system.interrupt);
    const wait = new Map([
      ["loop", "for (;;) await machine.AdvanceTime({ Nanoseconds: 1 });"],
      ["forever", "await new Promise(() => {});"],
    ]);
    for (const [name, body] of wait) {
      place.put(
        `${name}.ts`,
        `export default async ({ machine }) => {
  for (let turn = 0; turn < 10; turn += 1) await machine.AdvanceTime({ Nanoseconds: 1 });
  queueMicrotask(() => dispatchEvent(new Event("test-ctrl-c")));
  ${body}
};`,
      );
      const { code, err } = await place.runOn({ ...system }, `record ${name}.ts`);
      assertEquals(code, 5, err);
      assertMatch(err, /The recording ended early \(Ctrl-C\): \d+ events kept\.\n/);
      const audit = await place.run(`audit ${name}.msgpack`);
      assertEquals(audit.code, 0);
      assertMatch(audit.err, /ended early, after @\d+ \(interrupted\): Ctrl-C/);
      assertEquals((await place.run(`replay ${name}.msgpack`)).code, 0);
    }
    removeEventListener("test-ctrl-c", system.interrupt);
  }));

Deno.test("a thread that never goes on is told, and is the audit's to judge", () =>
  inPlace(async (place) => {
    const { code, err } = await place.run("record delete-deadlock -o t");
    assertEquals(code, 0);
    assertMatch(err, /^never went on: \S+ waits in client VmbChannelDeleteGpadl/m);
    assertEquals((await place.run("audit t")).code, 1);
  }));

Deno.test("record --list names the built-in programs, and each of them records", () =>
  inPlace(async (place) => {
    const { out } = await place.run("record --list");
    const names = out.trimEnd().split("\n").map((line) => line.split(" ")[0] ?? "");
    assert(names.length >= 5 && names[0] === "gpu-pv", out);
    for (const name of names) assertEquals((await place.run(`record ${name} --quiet`)).code, 0, name);
    assertEquals(place.names(), names.map((name) => `${name}.msgpack`).sort());
  }));

Deno.test("--flush with a size keeps the bytes those of the seed, and a time is refused where no clock may count", () =>
  inPlace(async (place) => {
    for (const name of ["a", "b"]) {
      assertEquals((await place.run(`record gpu-pv -o ${name} --wall-clock off --flush 4KB`)).code, 0);
    }
    assertEquals(place.bytes("a"), place.bytes("b"));
    const { code, err } = await place.run("record gpu-pv --wall-clock off --flush 1s");
    assertEquals([code, place.names()], [2, ["a", "b"]]);
    assertMatch(err, /Give --flush a size/);
  }));
