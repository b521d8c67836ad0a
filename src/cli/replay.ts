// The verb `replay`. Must not parse words and must not end the process.
import { type ModelOptions, OPTIONS, parseOption } from "../api/mod.ts";
import { type Divergence, replay, type ReplayOptions, type ReplayResult } from "../replay/mod.ts";
import { escapeText } from "../view/mod.ts";
import { CliError, EXIT } from "./exit.ts";
import type { ReplayArgs } from "./grammar.ts";
import type { Io } from "./io.ts";
import { admitting, checkFilters } from "./narrow.ts";
import { nextOn, open, type OpenTrace } from "./open.ts";
import { hasEventFilters, tellLosses } from "./outline.ts";
import { unknownName } from "./suggest.ts";
import { cutNote, grouped, plural } from "./terminal.ts";

/** Replays: re-runs a trace and reports the first divergence. Resolves to the exit code. */
export async function runReplay(args: ReplayArgs, io: Io): Promise<number> {
  checkFilters(io, args.filters);
  const opened = await open(io, args.trace);
  const { trace } = opened;
  try {
    const counted = countingCompared(replayOptions(args, opened));
    const { options } = counted;
    const progress = io.progress("replay", { total: trace.eventCount });
    const replayed = replay(trace, { ...options, onProgress: (event) => progress.update(event) });
    progress.end();
    const result = hasDamagedHeader(opened) ? withoutOptions(replayed) : replayed;
    const incomplete = tellLosses(io, opened);
    const isVain = result.stoppedEarly === "" && counted.compared() === 0;
    if (isVain) io.talk(`No event of ${opened.name} is what the filters ask for.`);
    if (args.show.json) io.out.json(toJson(result));
    else report(io, result, { opened, limit: args.show.limit });
    close(io, result, { opened, isVain, data: args.show.json });
    if (result.divergence !== null) return EXIT.found;
    return result.stoppedEarly === "" ? incomplete : EXIT.incomplete;
  } finally {
    opened.close();
  }
}

/** Damage of the header stands at its place in the file, byte 0. */
function hasDamagedHeader({ trace: { header, losses } }: OpenTrace): boolean {
  return losses.slice(header.losses.length).some(({ offsetBytes }) => offsetBytes === 0);
}

/** Where the options may be wrong, the engine that ran was another one, and that it differs says nothing. */
function withoutOptions(result: ReplayResult): ReplayResult {
  if (result.divergence === null) return result;
  const stoppedEarly = `@${result.divergence.event} differs, but the header that held the model's options is damaged`;
  return { ...result, divergence: null, stoppedEarly };
}

function replayOptions({ options: typed, filters }: ReplayArgs, { trace }: OpenTrace): ReplayOptions {
  const { range } = filters;
  return {
    options: modelOptions(trace.header.options, typed),
    ...(hasEventFilters(filters) ? { compares: admitting(trace, filters) } : {}),
    // A keyframe was made under the trace's own options: other ones must run from the start.
    ...(range === undefined || typed.length > 0 ? {} : { from: range.first }),
    ...(range === undefined || range.last === Infinity ? {} : { to: range.last }),
  };
}

/** The same options, and how many events they let be compared: Infinity where they ask for no choice. */
function countingCompared(
  options: ReplayOptions,
): { readonly options: ReplayOptions; readonly compared: () => number } {
  const { compares } = options;
  if (compares === undefined) return { options, compared: () => Infinity };
  let compared = 0;
  const counting: NonNullable<ReplayOptions["compares"]> = (event) => {
    const isWanted = compares(event);
    if (isWanted) compared += 1;
    return isWanted;
  };
  return { options: { ...options, compares: counting }, compared: () => compared };
}

/** The options with those typed on the command line over them. */
export function modelOptions(base: ModelOptions, typed: readonly (readonly [string, string])[]): ModelOptions {
  for (const [name] of typed) {
    if (!Object.hasOwn(OPTIONS, name)) throw new CliError(EXIT.usage, unknownOption(name));
  }
  try {
    return typed.reduce<ModelOptions>((options, [name, value]) => parseOption(options, name, value), base);
  } catch (error) {
    throw error instanceof RangeError ? new CliError(EXIT.usage, error.message) : error;
  }
}

function unknownOption(name: string): string {
  const names = Object.keys(OPTIONS);
  const text = unknownName("option of the model", name, names);
  return text.endsWith("?") ? text : `${text} There are ${names.join(", ")}.`;
}

function toJson({ events, callsReplayed, divergence }: ReplayResult): object {
  const first = divergence === null ? null : divergenceToJson(divergence);
  return { schema: "maptrail.replay/1", events, callsReplayed, diverged: divergence !== null, divergence: first };
}

function divergenceToJson({ event, call, field, recorded, replayed, message }: Divergence): object {
  return { event, call, field, recorded, replayed, message };
}

function report(
  io: Io,
  { divergence, skipped, stoppedEarly, startedAfter }: ReplayResult,
  { opened, limit }: { readonly opened: OpenTrace; readonly limit: number },
): void {
  if (startedAfter > 0) io.out.line(io.paint.faint(`replayed from the keyframe after @${startedAfter}`));
  const names = Object.entries(skipped);
  for (const [name, count] of names.slice(0, limit)) {
    io.out.line(`${grouped(count)} × ${escapeText(name)}: seen in a capture, the model cannot make it`);
  }
  const note = cutNote(names.length, limit);
  if (note !== undefined) io.out.line(io.paint.faint(note));
  if (stoppedEarly !== "") {
    io.out.line(io.paint.warn(`${escapeText(opened.name)}: replay ends here: ${escapeText(stoppedEarly)}`));
  }
  if (divergence !== null) { for (const line of divergenceLines(io, divergence)) io.say(line); }
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
  { divergence, events, callsReplayed, stoppedEarly }: ReplayResult,
  { opened, isVain, data }: { readonly opened: OpenTrace; readonly isVain: boolean; readonly data: boolean },
): void {
  const counts = `${plural(callsReplayed, "call")} in ${plural(events, "event")}`;
  if (divergence === null) {
    const state = opened.trace.complete && stoppedEarly === "" ? "" : " (incomplete)";
    // A capture has nothing that the model can make: that nothing differed is then no good news.
    const nothing = callsReplayed === 0 ? whyNothing(opened, events) : "";
    return io.close({
      ...nextOn(opened, "audit"),
      summary: isVain
        ? `nothing compared: ${plural(events, "event")} went by${state}`
        : nothing === ""
        ? `no divergence: ${counts} replayed alike${state}`
        : `nothing replayed: ${nothing}${state}`,
      ...(state === "" && nothing === "" && !isVain ? { mood: "good" } : {}),
      data,
    });
  }
  const { event } = divergence;
  io.close({
    ...nextOn(opened, "dump", "--range", `@${Math.max(1, event - 8)}-@${event + 2}`),
    summary: `diverged at @${event}, after ${counts}`,
    mood: "bad",
    data,
  });
}

/** Why a trace has nothing to replay; empty where it is short of nothing. */
function whyNothing({ trace: { header } }: OpenTrace, events: number): string {
  if (header.leftOut.length > 0) return "a part of the run was left out when it was recorded";
  if (header.program.kind !== "import") return "";
  return `none of the ${plural(events, "event")} of this capture is a call that the model can make`;
}
