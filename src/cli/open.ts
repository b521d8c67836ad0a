// Opens traces for verbs: a file, the newest one, or standard input; and narrows one by the filters typed.
// It must not know what a verb does with a trace.

import { baseSide, CATALOGUE, matchesGlob, objectKind, OBJECTS, parseObject, SIDES } from "../api/mod.ts";
import { audit, RULES } from "../audit/mod.ts";
import { eventFilter, type ObjectQuery, openTrace, type Trace, type TraceEvent, type TraceFile } from "../trace/mod.ts";
import { CliError, EXIT } from "./exit.ts";
import type { Filters } from "./flags.ts";
import type { Io } from "./io.ts";
import { openInput, STANDARD_STREAM, traceOrNewest } from "./paths.ts";
import { commandLine, shellPath } from "./shell.ts";
import { unknownName } from "./suggest.ts";

/** A trace that is open. */
export interface OpenTrace {
  readonly trace: TraceFile;
  /** As the user would type it; `-` for standard input. */
  readonly path: string;
  /** As people are told of it. */
  readonly name: string;
  readonly sizeInBytes: number;
  close(): void;
}

/** Opens the trace at `path`, or the newest one here. */
export async function open(io: Io, path: string | undefined): Promise<OpenTrace> {
  const chosen = traceOrNewest(io, path);
  const name = chosen === STANDARD_STREAM ? "standard input" : chosen;
  const file = await openInput(io, chosen);
  try {
    const trace = openTrace({ size: file.sizeInBytes, read: (offsetBytes, length) => file.read(offsetBytes, length) });
    return {
      trace,
      path: chosen,
      name,
      sizeInBytes: file.sizeInBytes,
      close: () => file.close(),
    };
  } catch (error) {
    file.close();
    if (error instanceof Error) error.message = `${name}: ${error.message}`;
    throw error;
  }
}

/** The command that goes on with this trace, to be typed next; nothing for a trace that came through a pipe and is gone. */
export function nextOn({ path }: OpenTrace, verb: string, ...words: readonly string[]): { readonly next?: string } {
  if (path === STANDARD_STREAM) return {};
  return { next: [verb, shellPath(path), ...words.map((word) => commandLine([word]))].join(" ") };
}

const LOSSES_TOLD = 8;

/** Says on standard error what a trace lacks: losses, an early end; returns the exit code that this means. */
export function tellLosses(io: Io, { trace, name }: OpenTrace): number {
  tellEnd(io, trace.end, name);
  if (trace.complete) return EXIT.clean;
  const { end, losses } = trace;
  for (const loss of losses.slice(0, LOSSES_TOLD)) io.talk(`${name}: ${loss.what}`);
  if (losses.length > LOSSES_TOLD) io.talk(`${name}: … ${losses.length - LOSSES_TOLD} more losses (info lists them)`);
  if (end === null) io.talk(`${name}: the recording never said how it ended; it is whole up to @${trace.eventCount}`);
  return EXIT.incomplete;
}

function tellEnd(io: Io, end: Trace["end"], name: string): void {
  if (end === null || end.reason === "ended" || end.reason === "imported") return;
  const why = end.message === "" ? "" : `: ${end.message}`;
  io.talk(`${name}: the recording ended early, after @${end.events} (${end.reason})${why}`);
}

/** Whether any filter on events was typed. */
export function hasEventFilters({ range, calls, sides, objects, rules }: Filters): boolean {
  return range !== undefined || calls.length + sides.length + objects.length + rules.length > 0;
}

/** Refuses a filter that could admit nothing, and says of a call that nobody declared. */
export function checkFilters(io: Io, { calls, sides, objects, rules }: Filters): void {
  for (const glob of rules) checkRule(glob);
  for (const side of sides) {
    if (baseSide(side) === null) {
      const text = unknownName("side", side, SIDES);
      throw new CliError(EXIT.usage, text.endsWith("?") ? text : `${text} There are ${SIDES.join(", ")}.`);
    }
  }
  for (const object of objects) objectOf(object);
  const declared = CATALOGUE.map(({ name }) => name);
  for (const glob of calls) {
    if (!declared.some((name) => matchesGlob(glob, name))) io.talk(unknownName("call", glob, declared));
  }
}

function checkRule(glob: string): void {
  const names = Object.entries(RULES).flatMap(([name, { code }]) => [name, code]);
  if (names.some((name) => matchesGlob(glob, name))) return;
  const text = unknownName("rule", glob, names);
  throw new CliError(EXIT.usage, text.endsWith("?") ? text : `${text} explain lists them.`);
}

/** The filter that the flags say, but for rules: one of each kind of flag must admit an event. */
function filterOf({ range, calls, sides, objects }: Filters): (event: TraceEvent) => boolean {
  const groups = [
    range === undefined ? [] : [eventFilter({ range: { from: range.first, to: range.last } })],
    calls.map((call) => eventFilter({ call })),
    sides.map((side) => eventFilter({ side })),
    objects.map((object) => eventFilter({ object: objectOf(object) })),
  ].filter((group) => group.length > 0);
  return (event) =>
    groups.map((group) => group.map((admits) => admits(event)).includes(true)).every((admitted) => admitted);
}

function objectOf(text: string): ObjectQuery {
  const name = parseObject(text);
  if (name !== null) return name;
  const [word = "", number] = text.split("#");
  const kind = objectKind(word);
  if (kind === null) throw new CliError(EXIT.usage, unknownName("kind of object", word, Object.keys(OBJECTS)));
  if (number === undefined) return { kind, number: null };
  throw new CliError(EXIT.usage, `Name an object as gpadl#7, numbers from 1 on: there is no "${text}".`);
}

/** The events that findings of these rules name. */
function ruleEvents(trace: Trace, globs: readonly string[]): ReadonlySet<number> {
  const named = audit(trace).findings.filter(({ rule, code }) =>
    globs.some((glob) => matchesGlob(glob, rule) || matchesGlob(glob, code))
  );
  return new Set(named.flatMap(({ event, evidence }) => [event, ...evidence.map((each) => each.event)]));
}

/** The filter that all flags say for this trace. It follows what events cause, so it is for one walk. */
export function admitting(trace: Trace, filters: Filters): (event: TraceEvent) => boolean {
  const named = filters.rules.length === 0 ? null : ruleEvents(trace, filters.rules);
  const admits = filterOf(filters);
  return (event) => admits(event) && named?.has(event.event) !== false;
}

/** The trace with only the events that the filters admit. */
export function narrowed(trace: Trace, filters: Filters): Trace {
  if (!hasEventFilters(filters)) return trace;
  const { range } = filters;
  // An object's filter follows what earlier events caused, so only then must a walk begin at the start.
  const from = filters.objects.length > 0 ? 1 : range?.first ?? 1;
  return {
    header: trace.header,
    end: trace.end,
    eventCount: trace.eventCount,
    complete: trace.complete,
    losses: trace.losses,
    *events() {
      const admits = admitting(trace, filters);
      const to = range === undefined || range.last === Infinity ? {} : { to: range.last };
      for (const event of trace.events({ from, ...to })) if (admits(event)) yield event;
    },
    keyframes: () => trace.keyframes(),
  };
}
