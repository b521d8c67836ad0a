// What the goldens are made of: the built-in programs' traces and an imported one, their dumps and what the audit says.
// `deno task bless` writes them, the golden test compares them: both call this.

import { audit } from "../../src/audit/mod.ts";
import { importEtl } from "../../src/import/mod.ts";
import { PROGRAMS, PROGRAMS_FOLDER } from "../../src/programs/mod.ts";
import { recordInMemory } from "../../src/record/mod.ts";
import { BytesSink, bytesSource, jsonLines, openTrace, type Trace, TraceWriter } from "../../src/trace/mod.ts";
import { countFindings, countsText, dumpLines, findingLines, groupFindings } from "../../src/view/mod.ts";
import { captureStory } from "./capture_story.ts";

/** The folder of sample traces, and that of the texts made of them. */
export const TRACES_FOLDER = new URL("../../traces/", import.meta.url);
export const GOLDEN_FOLDER = new URL("../golden/", import.meta.url);

/** The imported sample's name. */
export const CAPTURE_NAME = "capture";

/** One golden: a trace's bytes, made anew. */
export interface Golden {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Makes every golden trace. */
export async function makeGoldens(): Promise<Golden[]> {
  const recorded = Object.keys(PROGRAMS).map(async (name) => ({ name, bytes: await recordProgram(name) }));
  return [...await Promise.all(recorded), { name: CAPTURE_NAME, bytes: importCapture() }];
}

/** Records a built-in program, under seed 1 where none is given, without wall time. */
export async function recordProgram(name: string, seed = 1): Promise<Uint8Array<ArrayBuffer>> {
  const module = PROGRAMS[name];
  if (module === undefined) throw new RangeError(`Cannot record ${name}: there is no such program`);
  return (await recordInMemory(module, { name, kind: "builtin", toolVersion: "sample", seed, folder: PROGRAMS_FOLDER }))
    .bytes;
}

function importCapture(): Uint8Array<ArrayBuffer> {
  const imported = importEtl(captureStory(), { toolVersion: "sample" });
  const output = new BytesSink();
  const writer = new TraceWriter(output, imported.header);
  for (const event of imported.events) writer.event(event);
  writer.finish(imported.end);
  return output.bytes();
}

/** The texts kept beside a trace, by file name. */
export function textsOf({ name, bytes }: Golden): ReadonlyMap<string, string> {
  const trace = openTrace(bytesSource(bytes));
  return new Map([
    [`${name}.calls`, text(dumpLines(trace, { positions: true }))],
    [`${name}.audit.txt`, text(auditLines(trace))],
  ]);
}

function auditLines(trace: Trace): string[] {
  const { findings, pairing } = audit(trace);
  const paint = { bad: same, warn: same, faint: same, strong: same };
  const groups = groupFindings(findings).flatMap((group) => findingLines(group, { paint, limit: Infinity }));
  const pairs = Object.entries(pairing).map(([thing, counts]) =>
    `${thing}: ${Object.entries(counts).map(([what, count]) => `${what} ${count}`).join(", ")}`
  );
  return [...groups, ...pairs, countsText(countFindings(findings))];
}

function same(line: string): string {
  return line;
}

function text(lines: Iterable<string>): string {
  return [...lines, ""].join("\n");
}

/** All that a trace says, as text: two traces that say the same are equal, however they were compressed. */
export function contentOf(bytes: Uint8Array): string {
  return text(jsonLines(openTrace(bytesSource(bytes))));
}
