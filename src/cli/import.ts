// The verb `import`. Must not parse words and must not end the process.
import { detectFormat, type Imported, importEtl, importJsonLines, type ImportReport } from "../import/mod.ts";
import { TraceWriter } from "../trace/mod.ts";
import { escapeText } from "../view/mod.ts";
import { CliError, EXIT } from "./exit.ts";
import type { ImportArgs } from "./grammar.ts";
import type { Io } from "./io.ts";
import { createOutput, readInput, STANDARD_STREAM, stemOf } from "./paths.ts";
import { grouped } from "./terminal.ts";
import { VERSION } from "./version.ts";

/** Turns foreign logs into traces. Resolves to the exit code. */
export async function runImport(args: ImportArgs, io: Io): Promise<number> {
  if (args.files.length > 1 && args.output !== undefined) {
    throw new CliError(
      EXIT.usage,
      `Cannot import ${args.files.length} files into one: leave -o out, each gets a trace of its own`,
    );
  }
  let isComplete = true;
  for (const file of args.files) isComplete = await importOne(args, io, file) && isComplete;
  return isComplete ? EXIT.clean : EXIT.incomplete;
}

async function importOne(args: ImportArgs, io: Io, file: string): Promise<boolean> {
  const imported = read(await readInput(io, file), file);
  const name = file === STANDARD_STREAM ? "import" : stemOf(file);
  const output = createOutput(io, { output: args.output, name, force: args.force });
  const progress = io.progress(`import ${file}`);
  let events = 0;
  try {
    const writer = new TraceWriter(output, imported.header);
    for (const event of imported.events) {
      writer.event(event);
      events += 1;
      if ((events & 0xffff) === 0) progress.update(events);
    }
    writer.finish(imported.end);
  } finally {
    progress.end();
    output.close();
  }
  if (args.show.json) {
    io.out.json({ schema: "maptrail.import/1", file: output.path, events, report: reportToJson(imported.report) });
  } else tell(io, imported.report);
  io.talk(`imported ${grouped(events)} events of ${file} into ${output.path}`);
  if (output.path !== STANDARD_STREAM) io.talk(`next:  ${io.self} audit ${output.path}`);
  return imported.header.losses.length === 0;
}

function read(bytes: Uint8Array<ArrayBuffer>, file: string): Imported {
  const format = detectFormat(bytes);
  try {
    if (format === "etl") return importEtl(bytes, { toolVersion: VERSION });
    if (format === "json-lines") return importJsonLines(linesOf(bytes));
  } catch (error) {
    if (error instanceof Error) error.message = `${file}: ${error.message}`;
    throw error;
  }
  const hint = format === "maptrail"
    ? "it is a trace already: audit it, dump it"
    : "it is no log that maptrail knows; it reads raw .etl files of Microsoft-Windows-DxgKrnl and the lines of dump --json";
  throw new CliError(EXIT.unreadable, `Cannot import ${file}: ${hint}`);
}

/** The lines of a text, split anew at each walk, without a copy of the whole. */
function linesOf(bytes: Uint8Array): Iterable<string> {
  return {
    *[Symbol.iterator]() {
      const decoder = new TextDecoder();
      for (let start = 0; start < bytes.length;) {
        const found = bytes.indexOf(10, start);
        const end = found < 0 ? bytes.length : found;
        const line = decoder.decode(bytes.subarray(start, end)).trimEnd();
        if (line !== "") yield line;
        start = end + 1;
      }
    },
  };
}

function reportToJson({ imported, skipped, unknown, undecodable, otherRecords, missing }: ImportReport): object {
  return { imported, skipped, unknown, undecodable, otherRecords, missing };
}

function tell(io: Io, { imported, skipped, unknown, undecodable, missing, notes }: ImportReport): void {
  const rows = [["imported", imported], ["skipped", skipped], ["unknown", unknown], [
    "undecodable",
    undecodable,
  ]] as const;
  for (const [what, counts] of rows) {
    for (const { name, count } of counts) {
      io.talk(`${what.padEnd(12)} ${grouped(count).padStart(9)}  ${escapeText(name)}`);
    }
  }
  for (const note of notes) io.talk(escapeText(note));
  if (missing.length > 0) io.talk(`not captured: ${missing.join(", ")}`);
}
