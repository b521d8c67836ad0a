// Narrows a trace by the filters typed: calls, levels, sides, objects, rules and ranges. Must not know where a trace comes from.

import { baseSide, CATALOGUE, matchesGlob, objectKind, OBJECTS, parseObject, SIDES } from "../api/mod.ts";
import { audit, RULES } from "../audit/mod.ts";
import { eventFilter, type ObjectQuery, type Trace, type TraceEvent } from "../trace/mod.ts";
import { CliError, EXIT } from "./exit.ts";
import type { Filters } from "./flags.ts";
import type { Io } from "./io.ts";
import { inRange, withEvents } from "./open.ts";
import { hasEventFilters } from "./outline.ts";
import { unknownName } from "./suggest.ts";

/** Refuses a filter that could admit nothing, and says of a call that nobody declared: a foreign trace may have it. */
export function checkFilters(io: Io, filters: Filters): void {
  checkNames(filters);
  for (const text of unknownCalls(filters)) io.talk(text);
}

/** Refuses a filter that can admit nothing of a run, whose calls are all declared. */
export function checkRunFilters(filters: Filters): void {
  checkNames(filters);
  const [unknown] = unknownCalls(filters);
  if (unknown !== undefined) {
    throw new CliError(EXIT.usage, unknown.endsWith("?") ? unknown : `${unknown} explain lists them.`);
  }
}

function unknownCalls({ calls }: Filters): readonly string[] {
  const declared = CATALOGUE.map(({ name }) => name);
  return calls.filter((glob) => !declared.some((name) => matchesGlob(glob, name)))
    .map((glob) => unknownName("call", glob, declared));
}

function checkNames({ sides, objects, rules }: Filters): void {
  for (const glob of rules) checkRule(glob);
  for (const side of sides) {
    if (baseSide(side) === null) {
      const text = unknownName("side", side, SIDES);
      throw new CliError(EXIT.usage, text.endsWith("?") ? text : `${text} There are ${SIDES.join(", ")}.`);
    }
  }
  for (const object of objects) objectOf(object);
}

function checkRule(glob: string): void {
  const names = Object.entries(RULES).flatMap(([name, { code }]) => [name, code]);
  if (names.some((name) => matchesGlob(glob, name))) return;
  const text = unknownName("rule", glob, names);
  throw new CliError(EXIT.usage, text.endsWith("?") ? text : `${text} explain lists them.`);
}

/** The filter that the flags say, but for rules: one of each kind of flag must admit an event. */
function filterOf({ range, calls, levels, sides, objects }: Filters): (event: TraceEvent) => boolean {
  const groups = [
    range === undefined ? [] : [eventFilter({ range: { from: range.first, to: range.last } })],
    calls.map((call) => eventFilter({ call })),
    levels.length === 0 ? [] : [eventFilter({ levels })],
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
  const first = filters.objects.length > 0 ? 1 : range?.first ?? 1;
  const within = inRange(trace, { first, last: range?.last ?? Infinity });
  return withEvents(trace, function* () {
    const admits = admitting(trace, filters);
    for (const event of within.events()) if (admits(event)) yield event;
  });
}
