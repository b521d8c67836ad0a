// VMBus messages as events: scenarios say them as comments, in order; dumps, replays, diffs and audits take them for what
// they are, outputs that nobody feeds.

import { defaultOptions, isArray, printCall, type Value } from "../../src/api/mod.ts";
import { audit } from "../../src/audit/mod.ts";
import { diff } from "../../src/diff/mod.ts";
import { recordInMemory } from "../../src/record/mod.ts";
import { replay } from "../../src/replay/mod.ts";
import { bytesSource, eventFilter, jsonLines, openTrace, type Trace, validate } from "../../src/trace/mod.ts";
import { dumpLines } from "../../src/view/mod.ts";
import { churn } from "../driver/churn.ts";
import { assert, assertEquals } from "../support/assert.ts";

const FOLDER = new URL("../scenarios/kmcl/", import.meta.url);
const FILES = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => name.startsWith("wire-"))
  .toSorted();
const ALL = FILES.map((name) => [name, Deno.readTextFileSync(new URL(name, FOLDER))] as const);
const UNLOAD = Deno.readTextFileSync(new URL("wire-unload.calls", FOLDER));

async function traceOf(text: string): Promise<Trace> {
  return openTrace(bytesSource((await recordInMemory(text)).bytes));
}

function messagesOf(trace: Trace): string[] {
  return [...trace.events()].flatMap(({ level, side, plan, ins }) =>
    level === "wire" && plan !== null ? [printCall({ side, plan, ins })] : []
  );
}

function written(text: string): string[] {
  return text.split("\n").flatMap((line) => /^ +# wire (.*)$/.exec(line)?.slice(1) ?? []);
}

for (const [name, text] of ALL) {
  Deno.test(`${name}: the messages are those written, in order`, async () => {
    const trace = await traceOf(text);
    assertEquals(messagesOf(trace), written(text));
    assertEquals([...validate(trace)], []);
  });

  Deno.test(`${name}: its dump records again, and both replay`, async () => {
    const trace = await traceOf(text);
    const again = await traceOf([...dumpLines(trace)].join("\n"));
    assertEquals(diff(trace, again).first, null);
    assertEquals([replay(trace).divergence, replay(again).divergence], [null, null]);
    assertEquals(replay(trace, { from: trace.eventCount }).divergence, null);
  });

  Deno.test(`${name}: an audit finds the same without the messages`, async () => {
    const found = async (lines: string) =>
      audit(await traceOf(lines)).findings.map(({ code, object, severity }) => [code, object, severity]);
    assertEquals(await found(text), await found(text.replace("!option wire=on", "")));
  });
}

Deno.test("a message is a call of level wire that its input caused, with no actor of a program", async () => {
  const events = [...(await traceOf(UNLOAD)).events()];
  for (const { level, kind, cause, outcome, actor, site } of events.filter((event) => event.level === "wire")) {
    assertEquals([level, kind, outcome, actor, site], ["wire", "call", { form: "void" }, "vmbus", null]);
    const maker = events.find(({ event }) => event === cause);
    assert(maker?.kind === "call" || maker?.kind === "enter" || maker?.kind === "return", `caused by ${maker?.kind}`);
  }
});

Deno.test("a message that the model makes otherwise is a divergence, and so is one that it does not make", async () => {
  const trace = await traceOf(UNLOAD);
  const other = replay(trace, { options: { ...defaultOptions(), wire: "on", "ring-pages": "9" } }).divergence;
  assertEquals([other?.call, other?.field], ["memory", "memory.page"]);
  const none = replay(trace, { options: defaultOptions() }).divergence;
  assertEquals([none?.call, none?.replayed], ["OFFER_CHANNEL", "nothing"]);
  const more = replay(await traceOf(UNLOAD.replace("!option wire=on", "")), {
    options: { ...defaultOptions(), wire: "on" },
  });
  assertEquals([more.divergence?.event, more.divergence?.replayed], [4, "call server OFFER_CHANNEL"]);
});

Deno.test("messages of another system are not the model's to make: a replay counts them", async () => {
  const trace = await traceOf(UNLOAD);
  const foreign = { ...trace, header: { ...trace.header, maker: "json", options: defaultOptions() }, events };
  function* events() {
    let event = 0;
    for (const each of trace.events()) if (each.level === "wire") yield { ...each, event: ++event, cause: 0 };
  }
  const { skipped, divergence, events: seen } = replay({ ...foreign, eventCount: messagesOf(trace).length });
  assertEquals([divergence, seen, skipped.UNLOAD], [null, messagesOf(trace).length, 2]);
});

Deno.test("a level is recorded alone, with the numbers of the run", async () => {
  const whole = await traceOf(UNLOAD);
  for (const levels of [["wire"], ["kmcl", "machine"]] as const) {
    const { bytes } = await recordInMemory(UNLOAD, { selection: { levels } });
    const part = openTrace(bytesSource(bytes));
    const isOf = eventFilter({ levels });
    assertEquals(
      [...part.events()].map(({ event }) => event),
      [...whole.events()].filter(isOf).map(({ event }) => event),
    );
    assertEquals(part.header.selection?.levels, levels);
    assertEquals(part.header.leftOut, [`levels other than ${levels.join(", ")}`]);
    assertEquals([...validate(part)], []);
  }
});

Deno.test("an object's filter admits the messages that its calls made", async () => {
  const admits = eventFilter({ object: { kind: "gpadl", number: 1 } });
  const messages = [...(await traceOf(UNLOAD)).events()].filter(admits).filter(({ level }) => level === "wire");
  assertEquals(messages.map(({ plan }) => plan?.name), ["GPADL_HEADER", "GPADL_CREATED", "UNLOAD_RESPONSE"]);
});

Deno.test("page numbers in messages are labels to a diff, their count is not", async () => {
  const trace = await traceOf(Deno.readTextFileSync(new URL("wire-gpadl.calls", FOLDER)));
  const changed = (change: (words: readonly Value[]) => readonly Value[]): Trace => ({
    ...trace,
    header: trace.header,
    *events() {
      for (const event of trace.events()) {
        const ins = event.ins.map((value) => event.level === "wire" && isArray(value) ? change(value) : value);
        yield { ...event, ins };
      }
    },
    keyframes: () => trace.keyframes(),
  });
  const moved = (word: Value): Value => typeof word === "bigint" ? word + 1n : word;
  assertEquals(diff(trace, changed((words) => words.map(moved))).first, null);
  const { first } = diff(trace, changed((words) => words.slice(1)));
  assert(first?.message.includes("GPADL_HEADER.Words: "), first?.message);
});

Deno.test("JSON lines hold every word", async () => {
  const text = Deno.readTextFileSync(new URL("wire-gpadl.calls", FOLDER));
  const trace = await traceOf(text);
  const words = [...jsonLines(trace)].slice(1).map((line): { call?: string; args?: { Words?: Value[] } } =>
    JSON.parse(line)
  )
    .filter(({ call }) => call === "GPADL_HEADER" || call === "GPADL_BODY")
    .map(({ args }) => args?.Words?.length);
  assertEquals(words, [11, 27, 27, 1, 5]);
});

for (let seed = 1; seed <= 3; seed += 1) {
  Deno.test(`an interleaved program with messages replays, and its dump records again, seed ${seed}`, async () => {
    const { bytes } = await recordInMemory(churn(2), { seed, options: { wire: "on" } });
    const trace = openTrace(bytesSource(bytes));
    const again = await recordInMemory([...dumpLines(trace)].join("\n"));
    assertEquals(again.scenario?.failures, []);
    assertEquals([replay(trace).divergence, diff(trace, openTrace(bytesSource(again.bytes))).first], [null, null]);
    assert(messagesOf(trace).length > 20, `${messagesOf(trace).length} messages`);
  });
}

Deno.test("a scenario cannot send a message: the line fails, and nothing is recorded for it", async () => {
  const { scenario, bytes } = await recordInMemory("client UNLOAD()\nserver GPADL_TORNDOWN(Gpadl=7)");
  assertEquals(scenario?.failures.map(({ line }) => line), [1, 2]);
  assertEquals(openTrace(bytesSource(bytes)).eventCount, 0);
});
