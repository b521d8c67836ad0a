// A trace as lines of JSON, for any tool that reads them: the writing side (spec: cli, "dump --json").
// json_lines_parse.ts is the exact inverse. It must not know files, nor how the lines are stored.

import { type Outcome, type ParamPlan, printObject, statusName, type Value } from "../api/mod.ts";
import type { Loss, MemoryDelta, Selection, Site, TraceEnd, TraceEvent, TraceHeader } from "./event.ts";
import { HandleBook, hexOf, integerToJson, type JsonObject, type JsonValue, valueToJson } from "./json_values.ts";

/** What the first line says it is; the number changes when a reader of the old form would be wrong. */
export const JSON_LINES_SCHEMA = "maptrail.trace/1";

type Entry = readonly [string, JsonValue];

/** The first line: what the trace says of itself, and how it ended. */
export function headerToJson(header: TraceHeader, end: TraceEnd | null): JsonObject {
  const { options, program, losses, capabilities, startsAfter, leftOut, selection, ...plain } = header;
  return {
    schema: JSON_LINES_SCHEMA,
    ...plain,
    options: { ...options },
    program: { ...program },
    capabilities: [...capabilities],
    losses: losses.map((loss) => ({ ...loss })),
    ...(startsAfter === 0 ? {} : { startsAfter }),
    ...(leftOut.length === 0 ? {} : { leftOut: [...leftOut] }),
    ...(selection === null ? {} : { selection: selectionToJson(selection) }),
    end: end === null ? null : { ...end },
  };
}

function selectionToJson({ range, calls, levels, sides, objects }: Selection): JsonObject {
  return {
    range: range && { ...range },
    calls: [...calls],
    levels: [...levels],
    sides: [...sides],
    objects: [...objects],
  };
}

/**
 * One event. Members with their default are left out. `said` holds the handle values that earlier lines gave; a new one
 * stands in `handles`. Left out, the line says every handle that it mentions.
 */
export function eventToJson(event: TraceEvent, said: HandleBook = new HandleBook()): JsonObject {
  const handles: Record<string, JsonValue> = {};
  const encode = (value: Value): JsonValue =>
    valueToJson(value, (ref) => {
      if (said.get(ref) === ref.handle) return;
      said.set(ref);
      handles[printObject(ref)] = ref.handle;
    });
  const { plan } = event;
  const entries: Entry[] = [["event", event.event], ["kind", event.kind], ["side", event.side]];
  if (plan !== null) {
    entries.push(["call", plan.name]);
    if (hasIns(event)) entries.push(["args", members(plan.ins, event.ins, { encode })]);
    if (event.outcome !== null) entries.push(...outcomeEntries(event.outcome, encode));
    if (event.outs.length > 0) entries.push(["outs", members(plan.outs, event.outs, { encode })]);
  }
  if (Object.keys(handles).length > 0) entries.push(["handles", handles]);
  return Object.fromEntries([...entries, ...restEntries(event)]);
}

interface Encoding {
  readonly encode: (value: Value) => JsonValue;
}

function members(plans: readonly ParamPlan[], values: readonly Value[], { encode }: Encoding): JsonObject {
  const given = plans.slice(0, values.length);
  return Object.fromEntries(given.map(({ name }, index) => [name, encode(values[index] ?? null)]));
}

/** Whether events of this kind carry arguments. */
function hasIns({ kind }: TraceEvent): boolean {
  return kind === "call" || kind === "enter" || kind === "callback";
}

function outcomeEntries(outcome: Outcome, encode: (value: Value) => JsonValue): Entry[] {
  if (outcome.form === "status") return [["outcome", statusName(outcome.status)]];
  if (outcome.form === "refused") return [["outcome", "refused"], ["reason", outcome.reason]];
  if (outcome.form === "void") return [["outcome", "void"]];
  return [["outcome", "value"], ["value", encode(outcome.value)]];
}

function restEntries(event: TraceEvent): Entry[] {
  const entries: (Entry | false)[] = [
    event.cause !== 0 && ["cause", event.cause],
    event.of !== 0 && ["of", event.of],
    event.actor !== event.side && ["actor", event.actor],
    event.level !== (event.plan?.level ?? "machine") && ["level", event.level],
    event.timeNs !== 0n && ["timeNs", integerToJson(event.timeNs)],
    event.wallNs !== 0 && ["wallNs", event.wallNs],
    event.site !== null && ["site", siteToJson(event.site)],
    event.memory !== null && ["memory", memoryToJson(event.memory)],
    event.text !== "" && ["text", event.text],
  ];
  return entries.filter((entry) => entry !== false);
}

function siteToJson({ file, line, column, function: name }: Site): JsonObject {
  return { file, line, column, function: name };
}

function memoryToJson({ bytes, ...delta }: MemoryDelta): JsonObject {
  return { ...delta, bytes: bytes === null ? null : hexOf(bytes) };
}

/** What has a header, an end and events: a `Trace` does. */
export interface JsonLinesSource {
  readonly header: TraceHeader;
  readonly end: TraceEnd | null;
  /** What is lost, the header's own losses included; left out: what the header says. */
  readonly losses?: readonly Loss[];
  events(): Iterable<TraceEvent>;
}

/** All lines of a trace, without line ends; one event and the objects' handle values are held at a time. */
export function* jsonLines(trace: JsonLinesSource): IterableIterator<string> {
  yield JSON.stringify(headerToJson({ ...trace.header, losses: lossesOf(trace) }, trace.end));
  const said = new HandleBook();
  for (const event of trace.events()) yield JSON.stringify(eventToJson(event, said));
}

/** Those that were found in a file follow the header's own; where in that file says nothing of lines. */
function lossesOf({ header, losses = header.losses }: JsonLinesSource): readonly Loss[] {
  const found = losses.slice(header.losses.length);
  return [...header.losses, ...found.map((loss) => ({ ...loss, offsetBytes: -1 }))];
}
