// The verb `replay`. Must not parse words and must not end the process.
import { type ModelOptions, parseOption } from "../api/mod.ts";
import { type Divergence, replay, type ReplayResult } from "../replay/mod.ts";
import { CliError, EXIT } from "./exit.ts";
import type { ReplayArgs } from "./grammar.ts";
import type { Io } from "./io.ts";
import { open, type OpenTrace, tellLosses } from "./open.ts";
import { escapeText } from "../view/mod.ts";
import { grouped } from "./terminal.ts";

/** Replays: re-runs a trace and reports the first divergence. Resolves to the exit code. */
export async function runReplay(args: ReplayArgs, io: Io): Promise<number> {
  const opened = await open(io, args.trace);
  const { trace } = opened;
  try {
    const options = modelOptions(trace.header.options, args.options);
    const { range } = args.filters;
    const progress = io.progress("replay", { total: trace.eventCount });
    const result = replay(trace, {
      options,
      onProgress: (event) => progress.update(event),
      ...(range === undefined ? {} : { from: range.first, ...(range.last === Infinity ? {} : { to: range.last }) }),
    });
    progress.end();
    const incomplete = tellLosses(io, opened);
    if (args.show.json) io.out.json(toJson(result));
    else report(io, result, opened);
    close(io, result, { opened, data: args.show.json });
    if (result.divergence !== null) return EXIT.found;
    return result.stoppedEarly === "" ? incomplete : EXIT.incomplete;
  } finally {
    opened.close();
  }
}

/** The options with those typed on the command line over them. */
export function modelOptions(base: ModelOptions, typed: readonly (readonly [string, string])[]): ModelOptions {
  try {
    return typed.reduce<ModelOptions>((options, [name, value]) => parseOption(options, name, value), base);
  } catch (error) {
    throw error instanceof RangeError ? new CliError(EXIT.usage, error.message) : error;
  }
}

function toJson({ events, callsReplayed, divergence, skipped, stoppedEarly }: ReplayResult): object {
  return {
    schema: "maptrail.replay/1",
    events,
    callsReplayed,
    diverged: divergence !== null,
    divergence,
    skipped,
    stoppedEarly,
  };
}

function report(io: Io, { divergence, skipped, stoppedEarly, startedAfter }: ReplayResult, { path }: OpenTrace): void {
  if (startedAfter > 0) io.out.line(io.paint.faint(`replayed from the keyframe after @${startedAfter}`));
  for (const [name, count] of Object.entries(skipped)) {
    io.out.line(`${grouped(count)} × ${escapeText(name)}: seen in a capture, the model cannot make it`);
  }
  if (stoppedEarly !== "") io.out.line(io.paint.warn(`${path}: replay ends here: ${stoppedEarly}`));
  if (divergence !== null) { for (const line of divergenceLines(io, divergence)) io.out.line(line); }
}

function divergenceLines(io: Io, { event, call, field, recorded, replayed, objects }: Divergence): string[] {
  const lines = [
    `${io.paint.bad("diverged")} at @${event} ${io.paint.strong(escapeText(call))}: ${field}`,
    `  recorded   ${escapeText(recorded)}`,
    `  replayed   ${escapeText(replayed)}`,
  ];
  for (const object of objects) {
    lines.push(
      `  ${object.object}`,
      `    recorded ${escapeText(object.recorded)}`,
      `    replayed ${escapeText(object.replayed)}`,
    );
  }
  return lines;
}

function close(
  io: Io,
  { divergence, events, callsReplayed }: ReplayResult,
  { opened, data }: { readonly opened: OpenTrace; readonly data: boolean },
): void {
  const counts = `${grouped(callsReplayed)} calls in ${grouped(events)} events`;
  if (divergence === null) {
    return io.close({ next: `audit ${opened.path}`, summary: `no divergence: ${counts} replayed alike`, data });
  }
  const first = Math.max(1, divergence.event - 8);
  io.close({
    next: `dump ${opened.path} --range @${first}-@${divergence.event + 2}`,
    summary: `diverged at @${divergence.event}, after ${counts}`,
    data,
  });
}
