// The verb `import`. Must not parse words and must not end the process.
import { visibleText } from "../api/notation/text_literal.ts";
import {
  detectFormat,
  type ForeignFormat,
  type Imported,
  importEtl,
  importJsonLines,
  type ImportReport,
  importStrace,
} from "../import/mod.ts";
import { type TraceEnd, type TraceEvent, TraceWriter } from "../trace/mod.ts";
import { escapeText } from "../view/mod.ts";
import { CliError, EXIT } from "./exit.ts";
import type { ImportArgs } from "./grammar.ts";
import type { Io } from "./io.ts";
import { hasEventFilters } from "./outline.ts";
import { createOutput, type OutputFile, readInput, STANDARD_STREAM, stemOf } from "./paths.ts";
import { shellPath } from "./shell.ts";
import { cutNote, grouped, plural } from "./terminal.ts";
import { asUtf8 } from "./text.ts";
import { VERSION } from "./version.ts";

/** Turns foreign logs into traces. Resolves to the exit code. */
export async function runImport(args: ImportArgs, io: Io): Promise<number> {
  checkFlags(args);
  let isComplete = true;
  for (const file of args.files) isComplete = await importOne(args, io, file) && isComplete;
  return isComplete ? EXIT.clean : EXIT.incomplete;
}

function checkFlags({ files, output, filters, show }: ImportArgs): void {
  if (files.length > 1 && output !== undefined) {
    throw new CliError(EXIT.usage, `Leave -o out: each of the ${files.length} files becomes a trace of its own.`);
  }
  if (hasEventFilters(filters)) {
    throw new CliError(
      EXIT.usage,
      "Cannot filter while importing: import all, then filter with the verb that reads (dump, audit, diff).",
    );
  }
  if (output === STANDARD_STREAM && show.json) {
    throw new CliError(EXIT.usage, "Give -o FILE, or leave --json out: both would go to standard output.");
  }
}

async function importOne(args: ImportArgs, io: Io, file: string): Promise<boolean> {
  const name = file === STANDARD_STREAM ? "standard input" : visibleText(file);
  const imported = read(asUtf8(await readInput(io, file, (first) => void formatOf(asUtf8(first), name))), name);
  const output = createOutput(io, { output: args.output, name: stemOf(file), force: args.force, source: file });
  const { events, hasGaps } = write(io, { file, imported, output });
  const { path } = output;
  const { header, report } = imported;
  if (args.show.json) {
    io.out.json({ schema: "maptrail.import/1", file: path, events, report: reportToJson(report) });
  }
  tell(io, report, args.show.limit);
  const where = path === STANDARD_STREAM ? "standard output" : path;
  io.talk(`Imported ${plural(events, "event")} of ${file} into ${where}.`);
  if (hasGaps) io.talk("Some of its events are missing: info says which.");
  if (path !== STANDARD_STREAM) io.talk(`next:  ${io.self} audit ${shellPath(path)}`);
  return header.losses.length === 0 && !hasGaps;
}

interface Writing {
  readonly file: string;
  readonly imported: Imported;
  readonly output: OutputFile;
}

interface Written {
  readonly events: number;
  /** Whether numbers are missing among them that no filter left out. */
  readonly hasGaps: boolean;
}

/** Writes the trace; one that turns out to be no log halfway leaves nothing behind. */
function write(io: Io, { file, imported, output }: Writing): Written {
  const progress = io.progress(`import ${file}`);
  const { startsAfter, leftOut } = imported.header;
  let events = 0;
  let last = startsAfter;
  let writer: TraceWriter | null = null;
  try {
    writer = new TraceWriter(output, imported.header);
    for (const event of imported.events) {
      append(writer, event, { file, report: imported.report });
      events += 1;
      last = event.event;
      if ((events & 0xffff) === 0) progress.update(events);
    }
    writer.finish(imported.end);
    output.close();
    return { events, hasGaps: leftOut.length === 0 && last - startsAfter !== events };
  } catch (error) {
    const isFailedOutput = error instanceof CliError && error.exitCode === EXIT.cutShort;
    if (!isFailedOutput) output.discard();
    else if (writer === null) output.close();
    else closeFailed(writer, output, { message: error.message, events });
    throw error;
  } finally {
    progress.end();
  }
}

/** Writes an event; one that no trace can hold is the log's fault, and says where it stands. */
function append(
  writer: TraceWriter,
  event: TraceEvent,
  { file, report }: { readonly file: string; readonly report: ImportReport },
): void {
  try {
    writer.event(event);
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
    const place = `${report.offsetUnit} ${report.offsetOf(event.event)}`;
    throw new CliError(EXIT.unreadable, `Cannot import "${visibleText(file)}", ${place}: ${error.message}.`, {
      cause: error,
    });
  }
}

/** Ends a trace whose output failed, where that can still be written: an end often fits where a chunk did not. */
function closeFailed(writer: TraceWriter, output: OutputFile, end: Pick<TraceEnd, "message" | "events">): void {
  try {
    writer.finish({ ...end, reason: "write-failed" });
  } catch {
    // What was written stays as it is: readable, without an end.
  }
  output.close();
}

function read(bytes: Uint8Array<ArrayBuffer>, file: string): Imported {
  const format = formatOf(bytes, file);
  try {
    if (format === "etl") return importEtl(bytes, { toolVersion: VERSION });
    if (format === "strace") return importStrace(linesOf(bytes), { toolVersion: VERSION });
    return importJsonLines(linesOf(bytes));
  } catch (error) {
    if (error instanceof Error) error.message = `${file}: ${error.message}`;
    throw error;
  }
}

/** The format of a log that can be imported; `CliError` for what is none. */
function formatOf(bytes: Uint8Array, file: string): Exclude<ForeignFormat, "maptrail"> {
  const format = detectFormat(bytes);
  if (format !== null && format !== "maptrail") return format;
  const hint = format === "maptrail"
    ? "it is a trace already; audit it, or dump it"
    : bytes.length === 0
    ? "it is empty"
    : "it is no log that maptrail knows; it reads raw .etl files with Microsoft-Windows-DxgKrnl events, strace's text with ioctls of /dev/dxg, and what dump --json prints";
  throw new CliError(EXIT.unreadable, `Cannot import "${file}": ${hint}.`);
}

/** The lines of a text, the empty ones too, so that they can be numbered: split anew at each walk, without a copy of the whole. */
function linesOf(bytes: Uint8Array): Iterable<string> {
  return {
    *[Symbol.iterator]() {
      const decoder = new TextDecoder();
      for (let start = 0; start < bytes.length;) {
        const found = bytes.indexOf(10, start);
        const end = found < 0 ? bytes.length : found;
        yield decoder.decode(bytes.subarray(start, end)).trimEnd();
        start = end + 1;
      }
    },
  };
}

function reportToJson(report: ImportReport): object {
  const { imported, skipped, unknown, undecodable, otherRecords, missing, notes } = report;
  return { imported, skipped, unknown, undecodable, otherRecords, missing, ...(notes.length === 0 ? {} : { notes }) };
}

function tell(io: Io, report: ImportReport, limit: number): void {
  const { undecodable, missing, notes } = report;
  const rows = (["imported", "skipped", "unknown"] as const).flatMap((what) =>
    report[what].map(({ name, count }) => row(what, count, name))
  );
  const problems = undecodable.map(({ name, count, message }) => row("undecodable", count, `${name}: ${message}`));
  const lines = [...problems, ...rows];
  for (const line of lines.slice(0, limit)) io.talk(line);
  const note = cutNote(lines.length, limit);
  if (note !== undefined) io.talk(note);
  for (const each of notes) io.talk(escapeText(each));
  if (missing.length > 0) io.talk(`not captured: ${missing.join(", ")}`);
}

function row(what: string, count: number, name: string): string {
  return `${what.padEnd(12)} ${grouped(count).padStart(9)}  ${escapeText(name)}`;
}
