// The verb `diff`. Must not parse words and must not end the process.
import { diff, type DiffResult } from "../diff/mod.ts";
import { escapeText } from "../view/mod.ts";
import { EXIT } from "./exit.ts";
import type { DiffArgs } from "./grammar.ts";
import type { Io } from "./io.ts";
import { narrowed, open, tellLosses } from "./open.ts";
import { grouped } from "./terminal.ts";

/** Compares two traces. Resolves to the exit code. */
export async function runDiff(args: DiffArgs, io: Io): Promise<number> {
  const left = await open(io, args.left);
  try {
    const right = await open(io, args.right);
    try {
      const progress = io.progress("diff", { total: left.trace.eventCount });
      const result = diff(narrowed(left.trace, args.filters), narrowed(right.trace, args.filters), {
        onProgress: (events) => progress.update(events),
      });
      progress.end();
      const incomplete = Math.max(tellLosses(io, left), tellLosses(io, right));
      if (args.show.json) io.out.json(toJson(result));
      else report(io, result, args);
      const next = result.first === null ? {} : { next: nextCommand(result, args) };
      io.close({ ...next, summary: summaryOf(result), data: args.show.json });
      return result.equal ? incomplete : EXIT.found;
    } finally {
      right.close();
    }
  } finally {
    left.close();
  }
}

function toJson({ equal, first, events, calls, objects }: DiffResult): object {
  const at = first === null ? null : { a: first.a, b: first.b, form: first.form, message: first.message };
  return { schema: "maptrail.diff/1", equal, first: at, summary: { events, calls, objects } };
}

function report(io: Io, { first, calls, objects }: DiffResult, { left, right }: DiffArgs): void {
  if (first === null) return;
  io.out.line(`A is ${left}, B is ${right}`);
  io.out.line(`${io.paint.bad("first difference")}: ${escapeText(first.message)}`);
  const rows = Object.entries(calls);
  if (rows.length > 0) io.out.line(io.paint.strong("calls") + io.paint.faint("  (A, B)"));
  for (const [name, { a, b }] of rows) {
    io.out.line(`  ${name.padEnd(44)} ${grouped(a).padStart(8)} ${grouped(b).padStart(8)}`);
  }
  for (const [kind, { created, destroyed }] of Object.entries(objects)) {
    io.out.line(
      `  ${`${kind} created`.padEnd(44)} ${grouped(created.a).padStart(8)} ${grouped(created.b).padStart(8)}`,
    );
    io.out.line(
      `  ${`${kind} ended`.padEnd(44)} ${grouped(destroyed.a).padStart(8)} ${grouped(destroyed.b).padStart(8)}`,
    );
  }
}

function nextCommand({ first }: DiffResult, { left, right }: DiffArgs): string {
  const [file, at] = first !== null && first.a > 0 ? [left, first.a] : [right, first?.b ?? 1];
  return `dump ${file} --range @${Math.max(1, at - 8)}-@${at + 8}`;
}

function summaryOf({ equal, first, events }: DiffResult): string {
  if (equal) return `equal: ${grouped(events.a)} events`;
  return `different: first at @${first?.a ?? 0} in A, @${first?.b ?? 0} in B; ${grouped(events.a)} and ${
    grouped(events.b)
  } events`;
}
