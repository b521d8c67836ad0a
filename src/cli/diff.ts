// The verb `diff`. Must not parse words and must not end the process.
import { diff, type DiffResult } from "../diff/mod.ts";
import { escapeText } from "../view/mod.ts";
import { EXIT } from "./exit.ts";
import type { DiffArgs } from "./grammar.ts";
import type { Io } from "./io.ts";
import { checkFilters, narrowed } from "./narrow.ts";
import { nextOn, open, type OpenTrace } from "./open.ts";
import { hasEventFilters, tellLosses } from "./outline.ts";
import { cutNote, grouped, plural } from "./terminal.ts";

/** Compares two traces. Resolves to the exit code. */
export async function runDiff(args: DiffArgs, io: Io): Promise<number> {
  checkFilters(io, args.filters);
  const left = await open(io, args.left);
  try {
    const right = await open(io, args.right);
    try {
      return compare(args, io, { left, right });
    } finally {
      right.close();
    }
  } finally {
    left.close();
  }
}

interface Pair {
  readonly left: OpenTrace;
  readonly right: OpenTrace;
}

function compare({ filters, show }: DiffArgs, io: Io, { left, right }: Pair): number {
  const progress = io.progress("diff", { total: left.trace.eventCount });
  const result = diff(narrowed(left.trace, filters), narrowed(right.trace, filters), {
    onProgress: (events) => progress.update(events),
  });
  progress.end();
  const incomplete = Math.max(tellLosses(io, left), tellLosses(io, right));
  const isEmpty = result.events.a + result.events.b === 0 && hasEventFilters(filters);
  if (isEmpty) io.talk(`No event of ${left.name} or ${right.name} is what the filters ask for.`);
  if (show.json) io.out.json(toJson(result));
  else report(io, result, { left, right, limit: show.limit });
  const state = incomplete === EXIT.clean ? "" : " (incomplete)";
  io.close({
    ...nextCommand(result, { left, right }),
    summary: `${isEmpty ? "nothing compared" : summaryOf(result)}${state}`,
    data: show.json,
  });
  return result.equal ? incomplete : EXIT.found;
}

function toJson({ equal, first, events, calls, objects }: DiffResult): object {
  const at = first === null ? null : { a: first.a, b: first.b, message: first.message };
  return { schema: "maptrail.diff/1", equal, first: at, summary: { events, calls, objects } };
}

function report(
  io: Io,
  { first, calls, objects }: DiffResult,
  { left, right, limit }: Pair & { readonly limit: number },
): void {
  if (first === null) return;
  io.out.line(escapeText(`A is ${left.name}, B is ${right.name}`));
  io.say(`${io.paint.bad("first difference")}: ${escapeText(first.message)}`);
  const rows = [
    ...Object.entries(calls),
    ...Object.entries(objects).flatMap(([kind, { created, destroyed }]) =>
      [[`${kind} created`, created], [`${kind} ended`, destroyed]] as const
    ),
  ].filter(([, { a, b }]) => a !== b);
  if (rows.length === 0) return;
  const shown = rows.slice(0, limit);
  const width = Math.max(...shown.map(([name]) => name.length));
  const row = (name: string, a: string, b: string) => `${name.padEnd(width)}  ${a.padStart(9)}  ${b.padStart(9)}`;
  io.out.line(io.paint.strong(row("", "A", "B")));
  for (const [name, { a, b }] of shown) io.out.line(row(escapeText(name), grouped(a), grouped(b)));
  const note = cutNote(rows.length, shown.length);
  if (note !== undefined) io.out.line(io.paint.faint(note));
}

function nextCommand({ first }: DiffResult, { left, right }: Pair): { readonly next?: string } {
  if (first === null) return nextOn(left, "audit");
  const [opened, at] = first.a > 0 ? [left, first.a] : [right, first.b];
  return nextOn(opened, "dump", "--range", `@${Math.max(1, at - 8)}-@${at + 8}`);
}

function summaryOf({ equal, first, events }: DiffResult): string {
  if (equal) return `equal: ${plural(events.a, "event")}`;
  return `different: ${placeOf(first?.a, "A")}, ${placeOf(first?.b, "B")}; ${grouped(events.a)} and ${
    plural(events.b, "event")
  }`;
}

function placeOf(event: number | undefined, side: string): string {
  return event === undefined || event === 0 ? `${side} is over` : `@${event} in ${side}`;
}
