// The text layout of dumps: nesting, waiting calls, callbacks that interleave.

import fc from "fast-check";
import type { Value } from "../../src/api/mod.ts";
import { isArray, isRef, parseScenario, statusName } from "../../src/api/mod.ts";
import type { TraceEvent } from "../../src/trace/event.ts";
import { type CallPrinter, dumpLines, type DumpOptions } from "../../src/view/dump.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { EventList, header, ref, refused, returned } from "../support/events.ts";

/** Spells calls just well enough for these tests; the notation's own printer has its own. */
const PRINT: CallPrinter = {
  call: ({ side, plan, ins }) => `${side} ${plan.name}(${ins.filter((value) => value !== null).map(spell).join(", ")})`,
  outcome: ({ outcome, outs }) => {
    const tail = outs.length === 0 ? "" : ` {${outs.map(spell).join(", ")}}`;
    if (outcome.form === "status") return statusName(outcome.status) + tail;
    if (outcome.form === "refused") return `refused "${outcome.reason}"`;
    return outcome.form === "void" ? "void" : spell(outcome.value);
  },
};

function spell(value: Value): string {
  if (typeof value !== "object" || value === null) return String(value);
  if (isRef(value)) return `${value.kind}#${value.number}`;
  return isArray(value) ? `[${value.map(spell).join(", ")}]` : "{}";
}

const SCENARIO = header({ program: { name: "a.calls", kind: "calls", args: [] } });

function dump(list: EventList | readonly TraceEvent[], options: Partial<DumpOptions> = {}): string[] {
  const events = list instanceof EventList ? list.events : list;
  return [...dumpLines({ header: SCENARIO, events }, { print: PRINT, ...options })];
}

const ONE = { Channel: ref("channel", 1) };
const TWO = { Channel: ref("channel", 2) };

Deno.test("dumpLines() begins with the options that differ, and says that a program's callbacks stand as written", () => {
  const options = { paging: "immediate", "initial-callbacks": "none" } as const;
  const lines = (given: ReturnType<typeof header>) => [...dumpLines({ header: given, events: [] }, { print: PRINT })];
  assertEquals(lines(header({ options })), [
    "!option paging=immediate",
    "!option initial-callbacks=none",
    "!option callbacks=written",
  ]);
  assertEquals(lines({ ...SCENARIO }), []);
  assertEquals(lines({ ...SCENARIO, options: header({ options: { callbacks: "written" } }).options }), [
    "!option callbacks=written",
  ]);
});

Deno.test("dumpLines() prints calls, outcomes, notes and memory", () => {
  const list = new EventList();
  list.call("guest", "AllocateBuffer", { ByteCount: 8 }, { outcome: returned(ref("buffer", 1)) });
  const write = list.call("guest", "WriteBuffer", { Buffer: ref("buffer", 1) });
  list.memory({ page: 18, offset: 16, length: 2, bytes: Uint8Array.of(1, 0xff) }, write);
  list.memory({ partition: "host", page: 3, length: 4096, digest: 0xabc }, write);
  list.note("half\nway");
  list.call("guest", "FreeBuffer", {}, { outcome: refused("null") });
  assertEquals(dump(list), [
    "guest AllocateBuffer(8, 0) -> buffer#1",
    "guest WriteBuffer(buffer#1, 0, {}) -> void",
    "  # memory guest page 0x12 offset 16, 2 bytes: 01ff",
    "  # memory host page 0x3 offset 0, 4096 bytes, digest 0x00000abc",
    "  # note: half\\nway",
    'guest FreeBuffer() -> refused "null"',
  ]);
});

Deno.test("dumpLines() makes one line of a call that left after the callbacks under it", () => {
  const list = new EventList();
  const enable = list.enter("client", "VmbChannelEnable", ONE);
  const opened = list.callback("server", "EvtVmbChannelOpened", TWO, { cause: enable });
  list.call("server", "VmbChannelDisable", TWO, { cause: opened });
  list.return(opened);
  list.leave(enable);
  list.return(list.callback("client", "EvtVmbChannelStarted", ONE, { cause: enable }));
  list.call("client", "VmbChannelDisable", ONE);
  assertEquals(dump(list, { positions: true }), [
    "client VmbChannelEnable(channel#1) -> STATUS_SUCCESS  # @1",
    "  callback server EvtVmbChannelOpened(channel#2) -> STATUS_SUCCESS  # @2",
    "    server VmbChannelDisable(channel#2) -> void  # @3",
    "  callback client EvtVmbChannelStarted(channel#1)  # @6",
    "client VmbChannelDisable(channel#1) -> void  # @8",
  ]);
});

Deno.test("dumpLines() marks a call that others overtook as blocked, and its leave where it happened", () => {
  const list = new EventList();
  const remove = list.enter("client", "VmbChannelDeleteGpadl", ONE);
  list.call("server", "VmbChannelUnmapGpadl", TWO);
  list.leave(remove);
  list.memory({}, 3);
  list.return(list.callback("client", "EvtVmbChannelStarted", ONE));
  list.enter("client", "VmbChannelDeleteGpadl", ONE);
  assertEquals(dump(list), [
    "client VmbChannelDeleteGpadl(channel#1) -> blocked @e1",
    "server VmbChannelUnmapGpadl(channel#2) -> void",
    "  callback client EvtVmbChannelStarted(channel#1)",
    "leave @e1 -> void",
    "  # memory guest page 0x1 offset 0, 0 bytes, digest 0x00000000",
    "client VmbChannelDeleteGpadl(channel#1) -> blocked @e7",
  ]);
});

Deno.test("dumpLines() lets two calls leave at once, each on its line", () => {
  const list = new EventList();
  const first = list.enter("client", "VmbChannelDisable", ONE);
  const second = list.enter("server", "VmbChannelDisable", TWO);
  list.return(list.callback("server", "EvtVmbChannelClosed", TWO));
  list.leave(first);
  list.leave(second);
  assertEquals(dump(list), [
    "client VmbChannelDisable(channel#1) -> blocked @e1",
    "server VmbChannelDisable(channel#2) -> void",
    "  callback server EvtVmbChannelClosed(channel#2)",
    "leave @e1 -> void",
  ]);
});

Deno.test("dumpLines() marks a callback that is not well nested, and what it does after it was interrupted", () => {
  const list = new EventList();
  list.call("client", "VmbChannelEnable", ONE);
  const opened = list.callback("server", "EvtVmbChannelOpened", TWO);
  list.call("server", "VmbChannelDisable", TWO, { cause: opened });
  list.call("client", "VmbChannelDisable", ONE);
  list.call("server", "VmbChannelPause", TWO, { cause: opened });
  list.return(opened);
  list.return(list.callback("client", "EvtVmbChannelClosed", ONE));
  assertEquals(dump(list), [
    "client VmbChannelEnable(channel#1) -> STATUS_SUCCESS",
    "  callback server EvtVmbChannelOpened(channel#2) blocked @e2",
    "    server VmbChannelDisable(channel#2) -> void",
    "client VmbChannelDisable(channel#1) -> void",
    "inside @e2",
    "  server VmbChannelPause(channel#2) -> void",
    "return @e2 -> STATUS_SUCCESS",
    "  callback client EvtVmbChannelClosed(channel#1)",
  ]);
});

Deno.test("dumpLines() marks the first of two callbacks that overlap", () => {
  const list = new EventList();
  list.call("client", "VmbChannelEnable", ONE);
  const first = list.callback("server", "EvtVmbChannelStarted", TWO);
  const second = list.callback("client", "EvtVmbChannelStarted", ONE);
  list.return(first);
  list.return(second);
  assertEquals(dump(list), [
    "client VmbChannelEnable(channel#1) -> STATUS_SUCCESS",
    "  callback server EvtVmbChannelStarted(channel#2) blocked @e2",
    "  callback client EvtVmbChannelStarted(channel#1)",
    "    return @e2",
  ]);
});

Deno.test("dumpLines() of a filtered trace prints what is left of each call", () => {
  const list = new EventList();
  const enable = list.enter("client", "VmbChannelEnable", ONE);
  const opened = list.callback("server", "EvtVmbChannelOpened", TWO);
  list.return(opened);
  list.leave(enable);
  assertEquals(dump(list, { filter: ({ event }) => event > 1 }), [
    "  callback server EvtVmbChannelOpened(channel#2) -> STATUS_SUCCESS",
    "leave @e1 -> STATUS_SUCCESS",
  ]);
  assertEquals(dump(list, { filter: ({ event }) => event > 2 }), [
    "return @e2 -> STATUS_SUCCESS",
    "leave @e1 -> STATUS_SUCCESS",
  ]);
});

Deno.test("dumpLines() asks a trace for the range only", () => {
  const list = new EventList();
  list.call("client", "VmbChannelDisable", ONE);
  const asked: unknown[] = [];
  const events = (range?: unknown) => {
    asked.push(range);
    return list.events;
  };
  const range = { from: 1, to: 5 };
  assertEquals([...dumpLines({ header: SCENARIO, events }, { print: PRINT, range })].length, 1);
  assertEquals(asked, [range]);
});

Deno.test("dumpLines() prints the first lines before it reads the last events", () => {
  const list = new EventList();
  for (let index = 0; index < 3; index += 1) list.call("client", "VmbChannelDisable", ONE);
  let read = 0;
  const events = function* () {
    for (const event of list.events) {
      read += 1;
      yield event;
    }
  };
  dumpLines({ header: SCENARIO, events }, { print: PRINT }).next();
  assertEquals(read, 2);
});

Deno.test("dumpLines() holds no more than its lookahead, and marks what is open then", () => {
  const list = new EventList();
  const enable = list.enter("client", "VmbChannelEnable", ONE);
  const opened = list.callback("server", "EvtVmbChannelOpened", TWO);
  list.call("server", "VmbChannelDisable", TWO, { cause: opened });
  list.return(opened);
  list.leave(enable);
  assertEquals(dump(list, { lookahead: 2 }), [
    "client VmbChannelEnable(channel#1) -> blocked @e1",
    "  callback server EvtVmbChannelOpened(channel#2) blocked @e2",
    "inside @e2",
    "  server VmbChannelDisable(channel#2) -> void",
    "return @e2 -> STATUS_SUCCESS",
    "leave @e1 -> STATUS_SUCCESS",
  ]);
  assertThrows(() => dump(list, { lookahead: 0 }), RangeError);
});

Deno.test("dumpLines() prints notation that reads back, blocked calls and callbacks and positions included", () => {
  const list = new EventList();
  list.call("client", "VmbChannelAllocate", {}, { outs: ONE });
  const remove = list.enter("client", "VmbChannelDeleteGpadl", { ...ONE, GpadlHandle: ref("gpadl", 7) });
  const opened = list.callback("server", "EvtVmbChannelOpened", TWO);
  list.memory({});
  list.call("server", "VmbChannelUnmapGpadl", { ...TWO, GpadlHandle: ref("gpadl", 7) });
  list.leave(remove);
  list.return(list.callback("client", "EvtVmbChannelStarted", ONE));
  list.return(opened);
  const header1 = header({ options: { paging: "immediate" } });
  const lines = [...dumpLines({ header: header1, events: list.events }, { positions: true })];
  assertEquals(lines, [
    "!option paging=immediate",
    "!option callbacks=written",
    "client VmbChannelAllocate() -> STATUS_SUCCESS {Channel=channel#1}  # @1",
    "client VmbChannelDeleteGpadl(Channel=channel#1, GpadlHandle=gpadl#7) -> blocked @e2  # @2",
    "  callback server EvtVmbChannelOpened(Channel=channel#2) blocked @e3  # @3",
    "    # memory guest page 0x1 offset 0, 0 bytes, digest 0x00000000",
    "server VmbChannelUnmapGpadl(Channel=channel#2, GpadlHandle=gpadl#7) -> void  # @5",
    "  callback client EvtVmbChannelStarted(Channel=channel#1)  # @7",
    "leave @e2 -> void  # @6",
    "return @e3 -> STATUS_SUCCESS  # @9",
  ]);
  const scenario = parseScenario(lines.join("\n"));
  assertEquals(scenario.statements.length, lines.length - 1);
  assertEquals([scenario.options.paging, scenario.options.callbacks], ["immediate", "written"]);
});

Deno.test("dumpLines() of any interleaving reads back as notation, but for calls of an interrupted callback", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(999), { maxLength: 40 }), (choices) => {
      const lines = [...dumpLines({ header: SCENARIO, events: interleaving(choices).events })];
      if (lines.some((line) => line.trim().startsWith("inside"))) return;
      const said = lines.filter((line) => !line.trim().startsWith("#"));
      assertEquals(parseScenario(lines.join("\n")).statements.length, said.length);
    }),
    { seed: 5, numRuns: 150 },
  );
});

Deno.test("dumpLines() takes callbacks nested 10000 deep", () => {
  const list = new EventList();
  let cause = list.callback("client", "EvtVmbChannelStarted", ONE);
  for (let depth = 0; depth < 10_000; depth += 1) {
    list.add({ ...list.events.at(-1), kind: "call", event: cause + 1, cause, outcome: { form: "void" } });
    cause = list.add({ ...list.events.at(-2), event: cause + 2 });
  }
  assert(dump(list).length > 20_000);
});

Deno.test("dumpLines() never prints a control character of a trace", () => {
  const list = new EventList();
  list.note("\u001b[31mred\u0007\u202e \u{e0041} caf\u00e9 \\n");
  list.call("cli\u001b]0;x", "VmbChannelDisable", ONE);
  const hostile = { ...SCENARIO, options: { ...SCENARIO.options, paging: "x\u001b\ny" } };
  assertEquals([...dumpLines({ header: hostile, events: list.events }, { print: PRINT })], [
    "!option paging=x\\u{1b}\\ny",
    "# note: \\u{1b}[31mred\\u{7}\\u{202e} \\u{e0041} caf\u00e9 \\n",
    "cli\\u{1b}]0;x VmbChannelDisable(channel#1) -> void",
  ]);
});

Deno.test("dumpLines() says of any interleaving what was called inside what, in which order, and what waited", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(999), { maxLength: 60 }), (choices) => {
      const list = interleaving(choices);
      new Rerun(list.events).run(dump(list));
    }),
    { seed: 3, numRuns: 500 },
  );
});

/** Any order of calls, callbacks, returns and leaves that can happen. */
function interleaving(choices: readonly number[]): EventList {
  const list = new EventList();
  list.call("client", "VmbChannelEnable", ONE);
  const callbacks: number[] = [];
  const enters: number[] = [];
  for (const choice of choices) {
    const pick = Math.floor(choice / 8);
    const cause = [0, ...callbacks][pick % (callbacks.length + 1)] ?? 0;
    const action = choice % 8;
    if (action === 0) list.call("client", "VmbChannelDisable", ONE, { cause });
    else if (action === 1) enters.push(list.enter("client", "VmbChannelEnable", ONE, { cause }));
    else if (action === 2 || action === 3) callbacks.push(list.callback("server", "EvtVmbChannelOpened", TWO));
    else if (action === 4) list.memory({});
    else if (action < 7 && callbacks.length > 0) {
      list.return(callbacks.splice(pick % callbacks.length, 1)[0] ?? 0);
    } else if (enters.length > 0) list.leave(enters.splice(pick % enters.length, 1)[0] ?? 0);
  }
  return list;
}

interface Open {
  readonly depth: number;
  /** The callback whose body the next deeper lines are; 0: they are no calls. */
  readonly callback: number;
  readonly close: () => void;
}

/** Reads a dump as a recorder would and holds it against the events: inputs one by one, leaves as they follow. */
class Rerun {
  readonly #events: readonly TraceEvent[];
  readonly #left = new Set<number>();
  readonly #said = new Set<number>();
  #next = 0;

  constructor(events: readonly TraceEvent[]) {
    this.#events = events.filter(({ kind }) => kind !== "memory");
  }

  run(lines: readonly string[]): void {
    const open: Open[] = [];
    for (const line of lines.filter((each) => !each.trim().startsWith("#"))) {
      const depth = (line.length - line.trimStart().length) / 2;
      while ((open.at(-1)?.depth ?? -1) >= depth) open.pop()?.close();
      assert(depth <= (open.at(-1)?.depth ?? -1) + 1, `too deep: ${line}`);
      open.push({ depth, ...this.#line(line.trim(), open.at(-1)?.callback ?? 0) });
    }
    while (open.length > 0) open.pop()?.close();
    assertEquals(this.#next, this.#events.length);
    assertEquals(this.#said, this.#left);
  }

  #line(line: string, inside: number): Omit<Open, "depth"> {
    const label = Number(/@e([0-9]+)/.exec(line)?.[1] ?? 0);
    const close = () => {};
    if (line.startsWith("inside")) return { callback: label, close };
    if (line.startsWith("leave")) {
      assert(this.#left.has(label), line);
      this.#say(label);
      return { callback: 0, close };
    }
    if (line.startsWith("return")) {
      this.#input("return", { of: label });
      return { callback: 0, close };
    }
    if (line.startsWith("callback")) {
      assertEquals(inside, 0, `a callback runs in another: ${line}`);
      const { event } = this.#input("callback", {});
      return { callback: event, close: () => void (label === 0 && this.#input("return", { of: event })) };
    }
    const { event, kind } = this.#input("call", { cause: inside });
    return { callback: 0, close: () => kind === "enter" && this.#checkWaits(event, label) };
  }

  #checkWaits(event: number, label: number): void {
    assertEquals(this.#left.has(event), label === 0, `@${event} left too early or too late`);
    if (label === 0) this.#say(event);
  }

  #say(event: number): void {
    assert(!this.#said.has(event), `@${event} leaves twice`);
    this.#said.add(event);
  }

  /** The next event is this input; leaves right behind it happen at once. */
  #input(kind: string, wanted: { readonly cause?: number; readonly of?: number }): TraceEvent {
    const event = this.#events[this.#next];
    assert(event !== undefined, `no event for this ${kind}`);
    assertEquals(event.kind === "enter" ? "call" : event.kind, kind, `@${event.event}`);
    if (wanted.cause !== undefined) assertEquals(event.cause, wanted.cause, `@${event.event} is inside`);
    if (wanted.of !== undefined) assertEquals(event.of, wanted.of, `@${event.event} returns from`);
    this.#next += 1;
    for (; this.#events[this.#next]?.kind === "leave"; this.#next += 1) {
      this.#left.add(this.#events[this.#next]?.of ?? 0);
    }
    return event;
  }
}
