// The verb `record`. Must not parse words and must not end the process.
import { defaultOptions, type ModelOptions } from "../api/mod.ts";
import { PROGRAMS } from "../programs/mod.ts";
import { record, type Recorded, type RecordOptions } from "../record/mod.ts";
import { sizeText } from "../view/mod.ts";
import { CliError, EXIT, type ExitCode, isClosedPipe } from "./exit.ts";
import { checkExpectations } from "./expectations.ts";
import type { RecordArgs } from "./grammar.ts";
import type { Io } from "./io.ts";
import { hasEventFilters } from "./open.ts";
import { createOutput, type OutputFile, STANDARD_STREAM } from "./paths.ts";
import { findProgram, type Found, traceName } from "./programs.ts";
import { modelOptions } from "./replay.ts";
import { addFindingSites } from "./sites.ts";
import { grouped } from "./terminal.ts";
import { VERSION } from "./version.ts";

/** Records: runs a program on the instrumented engine and writes a trace. Resolves to the exit code. */
export async function runRecord(args: RecordArgs, io: Io): Promise<number> {
  if (args.list) return listPrograms(io);
  checkFlags(args);
  const found = await findProgram(io, { program: args.program, args: args.args });
  const options = modelOptions(modelOptions(defaultsFor(found), Object.entries(found.options)), args.options);
  const output = createOutput(io, { output: args.output, name: traceName(found), force: args.force });
  const run = prepare(args, io, { found, options });
  const recorded = await recordInto(output, io, run);
  const code = await conclude(args, io, { found, output, run, recorded });
  tell(io, { args, output, recorded });
  return code;
}

function listPrograms(io: Io): number {
  for (const [name, { summary }] of Object.entries(PROGRAMS)) {
    io.out.line(`${io.paint.strong(name.padEnd(18))} ${summary}`);
  }
  return EXIT.clean;
}

function checkFlags({ filters, output, sites }: RecordArgs): void {
  if (hasEventFilters(filters) || filters.rules.length > 0) {
    throw new CliError(
      EXIT.usage,
      "Cannot filter while recording yet: record all, then filter with the verb that reads (dump, audit, diff)",
    );
  }
  if (sites === "findings" && output === STANDARD_STREAM) {
    throw new CliError(
      EXIT.usage,
      "Cannot take the sites of findings on standard output: they need a file to read again; give -o FILE",
    );
  }
}

/** A program registers its callbacks itself; a scenario's channel has every one until it says otherwise. */
function defaultsFor({ what }: Found): ModelOptions {
  const options = defaultOptions();
  return what.kind === "calls" ? options : { ...options, "initial-callbacks": "none" };
}

type Run = Omit<RecordOptions, "output">;

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
    sites: args.sites === "findings" ? "off" : args.sites,
    memory: args.memory,
    toolVersion: VERSION,
    startedAt: args.wallClock ? new Date().toISOString() : "",
    folder: found.folder,
    pause: () => new Promise((resolve) => setTimeout(resolve, 0)),
    ...wall,
  };
}

/** Records into a file; a write that fails ends the run, and what was written stays. */
async function recordInto(output: OutputFile, io: Io, run: Run): Promise<Recorded> {
  const progress = io.progress(`record ${run.what.name}`);
  let failure: unknown = null;
  let stop: (reason: string) => void = () => {};
  const sink = {
    write(bytes: Uint8Array): void {
      if (failure !== null) return;
      try {
        output.write(bytes);
      } catch (error) {
        failure = error;
        stop("the output could not be written");
      }
    },
  };
  const undo = io.onInterrupt(() => stop("Ctrl-C"));
  try {
    const recorded = await record({
      ...run,
      output: sink,
      onStart: (stopRun) => stop = stopRun,
      onEvents: (events) => progress.update(events),
    });
    if (failure !== null) throw writeError(failure, output);
    return recorded;
  } finally {
    undo();
    progress.end();
    output.close();
  }
}

function writeError(failure: unknown, { path }: OutputFile): unknown {
  if (isClosedPipe(failure)) return failure;
  const why = failure instanceof Error ? failure.message : String(failure);
  return new CliError(EXIT.cutShort, `Cannot go on recording to ${path}: ${why}; what was written before is kept`, {
    cause: failure,
  });
}

interface Conclusion {
  readonly found: Found;
  readonly output: OutputFile;
  readonly run: Run;
  readonly recorded: Recorded;
}

async function conclude(args: RecordArgs, io: Io, { output, run, recorded }: Conclusion): Promise<ExitCode> {
  const { end, stuck, scenario } = recorded;
  for (const actor of stuck) io.talk(`never went on: ${actor}`);
  if (end.reason === "threw") io.complain(thrownText(io, recorded));
  if (end.reason === "interrupted") {
    io.complain(`recording ended early (${end.message}): ${grouped(end.events)} events are kept`);
  }
  if (args.sites === "findings") await addFindingSites(io, { path: output.path, run });
  if (end.reason !== "ended") return EXIT.cutShort;
  if (scenario === null) return EXIT.clean;
  const failures = [
    ...scenario.failures,
    ...(output.path === STANDARD_STREAM ? [] : await checkExpectations(io, { path: output.path, scenario })),
  ];
  for (const { line, message } of failures.toSorted((one, other) => one.line - other.line)) {
    io.complain(`${run.what.name}:${line}: ${message}`);
  }
  return failures.length === 0 ? EXIT.clean : EXIT.found;
}

function thrownText(io: Io, { thrown, end }: Recorded): string {
  const stack = io.verbose && thrown instanceof Error ? `\n${thrown.stack}` : "";
  return `the program threw after @${end.events}: ${end.message}; the ${
    grouped(end.events)
  } events before are kept${stack}`;
}

function tell(
  io: Io,
  { args, output, recorded }: { readonly args: RecordArgs; readonly output: OutputFile; readonly recorded: Recorded },
): void {
  const size = output.sizeInBytes;
  const { events } = recorded.end;
  const each = events === 0 ? "" : `, ${(size / events).toFixed(1)} bytes each`;
  if (args.show.json) {
    return io.out.json({
      schema: "maptrail.record/1",
      file: output.path,
      events,
      bytes: size,
      reason: recorded.end.reason,
      seed: args.seed,
    });
  }
  io.talk(`recorded ${grouped(events)} events in ${sizeText(size)}${each}: ${output.path}`);
  if (output.path !== STANDARD_STREAM) io.talk(`next:  ${io.self} audit ${output.path}`);
}
