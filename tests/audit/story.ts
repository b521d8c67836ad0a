// Small scenarios, run on the engine and audited, for tests: channels that are open, and what was found in one line each.

import { defaultOptions, parseOption, parseScenario } from "../../src/api/mod.ts";
import { audit, type AuditOptions, type AuditResult, type Finding } from "../../src/audit/mod.ts";
import { runScenario, Session } from "../../src/driver/mod.ts";
import { Engine } from "../../src/engine/mod.ts";
import type { Trace, TraceEnd, TraceEvent, TraceHeader } from "../../src/trace/mod.ts";
import { assertEquals } from "../support/assert.ts";
import { header } from "../support/events.ts";

/** A trace in memory. */
export function traceOf(
  events: readonly TraceEvent[],
  given: {
    readonly header?: TraceHeader;
    readonly end?: TraceEnd | null;
    readonly losses?: Trace["losses"];
  } = {},
): Trace {
  const losses = given.losses ?? [];
  const end = given.end === undefined ? { reason: "ended", message: "", events: events.length } as const : given.end;
  return {
    header: given.header ?? header(),
    end,
    eventCount: events.at(-1)?.event ?? 0,
    complete: end !== null && losses.length === 0,
    losses,
    events: ({ from = 1, to = Infinity } = {}) => events.filter(({ event }) => from <= event && event <= to).values(),
    keyframes: () => [].values(),
  };
}

/** Runs a scenario; fails where a line of it does not hold. */
export function eventsOf(text: string): { readonly events: TraceEvent[]; readonly header: TraceHeader } {
  const scenario = parseScenario(text);
  const options = Object.entries(scenario.options).reduce(
    (sum, [name, value]) => parseOption(sum, name, String(value)),
    defaultOptions(),
  );
  const events: TraceEvent[] = [];
  const sink = { event: (event: TraceEvent) => void events.push(event) };
  const session = new Session({ engine: new Engine(options), sink, memory: "full" });
  const report = runScenario(scenario, session);
  assertEquals(report.failures.map(({ line, message }) => `${line}: ${message}`), []);
  return { events, header: header({ options }) };
}

/** Runs a scenario and audits what was recorded. */
export function auditStory(text: string, options: AuditOptions = {}): AuditResult {
  const { events, header } = eventsOf(text);
  return audit(traceOf(events, { header }), options);
}

/** `gpadl-leak gpadl#1`, notes left out. */
export function found(text: string, options: AuditOptions = {}): string[] {
  return auditStory(text, options).findings.filter(({ severity }) => severity !== "note").map(lineOf);
}

/** A finding in one line: rule and object. */
export function lineOf({ rule, object }: Finding): string {
  return `${rule} ${object === null ? "-" : `${object.kind}#${object.number}`}`;
}

/** Two ends of a channel, allocated and with an identity; `$s` and `$c`. */
export const ALLOCATED = `
server VmbChannelAllocate(IsServer=true) -> STATUS_SUCCESS {Channel=$s}
server VmbServerChannelInitSetTargetInterfaceId(Channel=$s, InterfaceType={11111111-0000-0000-0000-000000000001}, InterfaceInstance={22222222-0000-0000-0000-000000000001}) -> ok
client VmbChannelAllocate(IsServer=false) -> STATUS_SUCCESS {Channel=$c}
client VmbClientChannelInitSetTargetPnp(Channel=$c, InterfaceType={11111111-0000-0000-0000-000000000001}) -> ok
`;

/** The same, open and running. */
export const OPEN = `${ALLOCATED}
server VmbChannelEnable(Channel=$s) -> ok
server VmbChannelStart(Channel=$s) -> void
client VmbChannelEnable(Channel=$c) -> ok
`;

/** Both ends taken down. */
export const CLOSE = `
client VmbChannelDisable(Channel=$c)
server VmbChannelDisable(Channel=$s)
client VmbChannelCleanup(Channel=$c)
server VmbChannelCleanup(Channel=$s)
`;

/** A buffer of two pages, `$b`, and a GPADL over it, `$g`. */
export const SHARED = `
guest AllocateBuffer(ByteCount=8192) -> $b
client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$b, ByteCount=8192) -> ok {GpadlHandle=$g}
`;

/** The server's map of `$g`, its MDL `$m`. */
export const MAP = `
server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> ok {Mdl=$m}
`;

/** And its unmap. */
export const UNMAP = `
server VmbChannelUnmapGpadl(Channel=$s, GpadlHandle=$g) -> void
`;

/** The client's delete of `$g`. */
export const DELETE = `
client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g) -> void
`;

/** Everything given back. */
export const GIVEN_BACK = `${DELETE}${CLOSE}`;
