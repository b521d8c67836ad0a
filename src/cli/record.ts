// The verb `record`. Must not parse words and must not end the process.
import { basename } from "node:path";
import { defaultOptions, type ModelOptions } from "../api/mod.ts";
import { PROGRAMS, PROGRAMS_FOLDER } from "../programs/mod.ts";
import type { Recorded } from "../record/mod.ts";
import { BytesSink } from "../trace/mod.ts";
import { sizeText } from "../wire/mod.ts";
import { CliError, EXIT, type ExitCode } from "./exit.ts";
import { checkExpectations } from "./expectations.ts";
import type { RecordArgs } from "./grammar.ts";
import type { Io } from "./io.ts";
import { checkRunFilters } from "./narrow.ts";
import { hasEventFilters } from "./outline.ts";
import { createOutput, type OutputFile, STANDARD_STREAM } from "./paths.ts";
import { findProgram, type Found, traceName, troubleOfPart } from "./programs.ts";
import { modelOptions } from "./replay.ts";
import { createRing } from "./ring_files.ts";
import { programsTalkOnStderr, recordInto, type Run } from "./run.ts";
import { selectionOf } from "./selection.ts";
import { shellPath } from "./shell.ts";
import { addFindingSites, claimSites } from "./sites.ts";
import { grouped, plural } from "./terminal.ts";
import { VERSION } from "./version.ts";

/** Records: runs a program on the instrumented engine and writes a trace. Resolves to the exit code. */
export async function runRecord(args: RecordArgs, io: Io): Promise<number> {
  if (args.list) return listPrograms(io, args.show);
  checkFlags(args);
  checkRunFilters(args.filters);
  const undo = args.output === STANDARD_STREAM || args.show.json ? programsTalkOnStderr() : () => {};
  try {
    return await recordOne(args, io);
  } finally {
    undo();
  }
}

async function recordOne(args: RecordArgs, io: Io): Promise<number> {
  const found = await findProgram(io, { program: args.program, args: args.args });
  const options = modelOptions(modelOptions(defaultsFor(found), Object.entries(found.options)), args.options);
  const source = found.what.kind === "builtin" ? undefined : args.program;
  const choice = { output: args.output, name: traceName(found), force: args.force, ...(source && { source }) };
  const { output, segments } = args.ring === undefined
    ? { output: createOutput(io, choice), segments: null }
    : createRing(io, { ...choice, ringBytes: args.ring });
  if (args.sites === "findings") claimSites(io, output, args.force);
  const run = {
    ...prepare(args, io, { found, options }),
    ...(args.ring === undefined || segments === null ? {} : { ring: { bytes: args.ring, segments } }),
  };
  const kept = keepCopy(output, run);
  const recorded = await recordInto(kept.output, io, run).catch((error) => {
    throw found.isPart === true ? troubleOfPart(error) : error;
  });
  const code = await conclude(args, io, { output, run, recorded, copy: kept.copy });
  tell(io, { args, output, recorded });
  return code;
}

function listPrograms(io: Io, { json }: RecordArgs["show"]): number {
  if (json) {
    const programs = Object.entries(PROGRAMS).map(([name, { summary }]) => ({ name, summary }));
    io.out.json({ schema: "maptrail.programs/1", programs });
    return EXIT.clean;
  }
  const width = Math.max(...Object.keys(PROGRAMS).map((name) => name.length));
  for (const [name, { summary }] of Object.entries(PROGRAMS)) {
    io.out.line(`${io.paint.strong(name.padEnd(width))}  ${summary}`);
  }
  return EXIT.clean;
}

function checkFlags({ filters, output, sites, show, wallClock, ring, flush = "off" }: RecordArgs): void {
  if (filters.rules.length > 0) {
    throw new CliError(
      EXIT.usage,
      "Leave --rule to the verb that reads (audit, dump): what a rule finds is known when the run is over.",
    );
  }
  if (ring !== undefined && sites === "findings") {
    throw new CliError(EXIT.usage, "Give --sites creating or all with --ring: findings are looked for in a whole run.");
  }
  if (output === STANDARD_STREAM && sites === "findings") {
    throw new CliError(EXIT.usage, "Give -o FILE: the sites of findings need a file that can be read again.");
  }
  if (output === STANDARD_STREAM && show.json) {
    throw new CliError(EXIT.usage, "Give -o FILE, or leave --json out: both would go to standard output.");
  }
  if (!wallClock && flush !== "off" && "seconds" in flush) {
    throw new CliError(
      EXIT.usage,
      "Give --flush a size, as 64KB: with --wall-clock off no clock may change the bytes.",
    );
  }
}

/** A program registers its callbacks itself; a scenario's channel has every one until it says otherwise. */
function defaultsFor({ what }: Found): ModelOptions {
  const options = defaultOptions();
  return what.kind === "calls" ? options : { ...options, "initial-callbacks": "none" };
}

/** The time goes by the host's clock, so that without one the bytes are those of program and seed alone. */
function flushing({ flush, wallClock }: RecordArgs, { now }: Io): Pick<Run, "flush"> {
  const choice = flush ?? (wallClock ? USUAL_FLUSH : "off");
  if (choice === "off") return {};
  if ("bytes" in choice) return { flush: { everyBytes: choice.bytes } };
  return { flush: { everyMs: choice.seconds * 1000, nowMs: now } };
}

const USUAL_FLUSH = { seconds: 1 } as const;

function prepare(
  args: RecordArgs,
  io: Io,
  { found, options }: { readonly found: Found; readonly options: ModelOptions },
): Run {
  const began = performance.now();
  const wall = args.wallClock ? { wallNs: () => Math.round((performance.now() - began) * 1e6) } : {};
  return {
    what: found.what,
    options,
    seed: args.seed,
    sites: args.sites,
    memory: args.memory,
    toolVersion: VERSION,
    startedAt: args.wallClock ? new Date().toISOString() : "",
    folder: found.folder,
    pause: () => new Promise((resolve) => setTimeout(resolve, 0)),
    ...wall,
    ...flushing(args, io),
    selection: selectionOf(args.filters),
  };
}

/** What a scenario expects of findings is looked up in its trace: one that goes to standard output is kept for that. */
function keepCopy(
  output: OutputFile,
  { what }: Run,
): { readonly output: OutputFile; readonly copy: BytesSink | null } {
  if (what.kind !== "calls" || output.path !== STANDARD_STREAM) return { output, copy: null };
  const copy = new BytesSink();
  const write = (bytes: Uint8Array) => {
    copy.write(bytes);
    output.write(bytes);
  };
  return { output: { ...output, write }, copy };
}

interface Conclusion {
  readonly output: OutputFile;
  readonly run: Run;
  readonly recorded: Recorded;
  readonly copy: BytesSink | null;
}

async function conclude(args: RecordArgs, io: Io, { output, run, recorded, copy }: Conclusion): Promise<ExitCode> {
  const { end, stuck, scenario, kept } = recorded;
  if (end.reason === "ended") { for (const actor of stuck) io.talk(`never went on: ${actor}`); }
  if (end.reason === "threw") io.complain(thrownText(io, recorded));
  if (end.reason === "interrupted") {
    io.complain(`The recording ended early (${end.message}): ${plural(kept.events, "event")} kept.`);
  }
  if (args.sites === "findings") await addFindingSites(io, { path: output.path, run, end });
  if (end.reason !== "ended") return EXIT.cutShort;
  if (scenario === null) return EXIT.clean;
  const isWhole = !hasEventFilters(args.filters) && recorded.kept.startsAfter === 0;
  if (!isWhole) io.talk("What the scenario expects of findings is not checked: the trace holds a part of the run.");
  const unmet = isWhole ? await checkExpectations(io, { path: output.path, copy, scenario }) : [];
  const failures = [...scenario.failures, ...unmet];
  for (const { line, message } of failures.toSorted((one, other) => one.line - other.line)) {
    io.complain(`${run.what.name}:${line}: ${message}`);
  }
  return failures.length === 0 ? EXIT.clean : EXIT.found;
}

function thrownText({ verbose }: Io, { thrown, end, kept }: Recorded): string {
  const [first = ""] = end.message.split("\n");
  const place = thrownPlace(thrown);
  const stack = verbose && thrown instanceof Error ? `\n${thrown.stack}` : "";
  return `The program threw after @${end.events}${place}: ${first}; ${plural(kept.events, "event")} kept.${stack}`;
}

/** Where the program threw, as ` at mine.ts:4`; nothing where the toolkit threw for it, since its frames say nothing to a user. */
function thrownPlace(thrown: unknown): string {
  const stack = thrown instanceof Error ? thrown.stack ?? "" : "";
  const frame = stack.split("\n").find((line) => /^\s+at .*file:/.test(line)) ?? "";
  const [, file = "", line = ""] = /(file:[^()]*):(\d+):\d+\)?$/.exec(frame) ?? [];
  const isOurs = file === "" || (file.startsWith(TOOLKIT_FOLDER) && !file.startsWith(PROGRAMS_FOLDER));
  return isOurs ? "" : ` at ${basename(file)}:${line}`;
}

const TOOLKIT_FOLDER = new URL("../", import.meta.url).href;

/** Below this a trace is its header, and bytes for each event say nothing. */
const TELLING_EVENTS = 1000;

function tell(
  io: Io,
  { args, output, recorded }: { readonly args: RecordArgs; readonly output: OutputFile; readonly recorded: Recorded },
): void {
  const bytes = output.sizeInBytes;
  const { end: { events, reason }, kept } = recorded;
  const file = output.path;
  if (args.show.json) io.out.json({ schema: "maptrail.record/1", file, events, bytes, reason, seed: args.seed, kept });
  const each = kept.events < TELLING_EVENTS ? "" : `, ${(bytes / kept.events).toFixed(1)} bytes each`;
  const where = file === STANDARD_STREAM ? "standard output" : file;
  if (kept.events === 0 && hasEventFilters(args.filters)) {
    io.complain(`The trace is empty: none of the run's ${plural(events, "event")} is what the filters ask for.`);
  }
  io.talk(`Recorded ${keptText(recorded)} into ${where}: ${sizeText(bytes)}${each}.`);
  if (file !== STANDARD_STREAM) io.talk(`next:  ${io.self} audit ${shellPath(file)}`);
}

function keptText({ end: { events }, kept }: Recorded): string {
  if (kept.events === events) return plural(events, "event");
  const from = kept.startsAfter === 0 ? "" : `, from @${kept.startsAfter + 1} on,`;
  return `${grouped(kept.events)} of ${plural(events, "event")}${from}`;
}
