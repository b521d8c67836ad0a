// Finds what `record` runs: a built-in program, a TypeScript module, or a `.calls` scenario.
// It must not know how a program is recorded.

import { visibleText } from "../api/notation/text_literal.ts";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";
import { parseScenario } from "../api/mod.ts";
import type { Program, ProgramModule } from "../driver/mod.ts";
import { PROGRAMS, PROGRAMS_FOLDER } from "../programs/mod.ts";
import type { Recordable } from "../record/mod.ts";
import { PART_COMMENT } from "../view/mod.ts";
import { CliError, EXIT } from "./exit.ts";
import type { Io } from "./io.ts";
import { openInput, readInput, resolvePath, STANDARD_STREAM, stemOf } from "./paths.ts";
import { unknownName } from "./suggest.ts";
import { asUtf8 } from "./text.ts";

/** What `record` runs without a name: the whole story in one run. */
export const DEFAULT_PROGRAM = "gpu-pv";

/** What to run, and the folder that its call sites are relative to. */
export interface Found {
  readonly what: Recordable;
  readonly folder: string;
  /** Options of the model that the program needs. */
  readonly options: Readonly<Record<string, string>>;
  /** Whether it is a dump of a part of a run: things that it uses may have been made before. */
  readonly isPart?: boolean;
}

/** Finds a program by what was typed. */
export async function findProgram(
  io: Io,
  { program = DEFAULT_PROGRAM, args }: { readonly program: string | undefined; readonly args: readonly string[] },
): Promise<Found> {
  const builtin = Object.hasOwn(PROGRAMS, program) ? PROGRAMS[program] : undefined;
  if (builtin !== undefined) {
    return {
      what: { kind: "builtin", name: program, module: builtin, args },
      folder: PROGRAMS_FOLDER,
      options: builtin.options,
    };
  }
  if (program === STANDARD_STREAM || program.endsWith(".calls")) return await findScenario(io, program, args);
  if (/\.[cm]?[tj]s$/.test(program)) return await findModule(io, program, args);
  const text = unknownName("program", program, Object.keys(PROGRAMS));
  const hint =
    ` A program of yours ends in .ts, a scenario in .calls; ${io.self} record --list names the built-in ones.`;
  throw new CliError(EXIT.usage, text.endsWith("?") ? text : text + hint);
}

async function findScenario(io: Io, path: string, args: readonly string[]): Promise<Found> {
  if (args.length > 0) {
    throw new CliError(EXIT.usage, `Leave "${args.join(" ")}" out: ${path} is a scenario, and takes no arguments.`);
  }
  const bytes = await readInput(io, path);
  const file = path === STANDARD_STREAM ? "stdin.calls" : basename(path);
  const text = new TextDecoder().decode(asUtf8(bytes));
  const isPart = text.startsWith(PART_COMMENT);
  try {
    const scenario = parseScenario(text, { file });
    return { what: { kind: "calls", name: file, scenario }, folder: "", options: scenario.options, isPart };
  } catch (error) {
    throw isPart ? troubleOfPart(error) : error;
  }
}

/** What kept a dump of a part of a run from running is seldom its own fault: what is to be said instead. */
export function troubleOfPart(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== "NotationError") return error;
  const advice =
    "It is a dump of a part of a run, and uses what that part does not make. To run a ring again, replay its trace.";
  return new CliError(EXIT.usage, `${error.message}\n${advice}`, { cause: error });
}

async function findModule(io: Io, path: string, args: readonly string[]): Promise<Found> {
  (await openInput(io, path)).close();
  const url = pathToFileURL(resolvePath(io.folder, path));
  const program = programOf(await importModule(url, path), path);
  return {
    what: { kind: "module", name: basename(path), module: program, args },
    folder: new URL("./", url).href,
    options: program.options,
  };
}

/** Like a `.calls` line that does not parse: exit code 2. */
async function importModule(url: URL, path: string): Promise<unknown> {
  try {
    return await import(url.href);
  } catch (error) {
    throw new CliError(EXIT.usage, `Cannot run "${visibleText(path)}": ${loadTrouble(error)}`, { cause: error });
  }
}

/** The message without the stack that Deno appends to it; where it points stays. */
function loadTrouble(error: unknown): string {
  const lines = (error instanceof Error ? error.message : String(error)).split("\n");
  const place = lines.find((line) => /^\s+at /.test(line))?.trim().replace(/^at /, "");
  const text = lines.filter((line) => !/^\s+at /.test(line)).join("\n");
  return place === undefined ? text : `${text}\n  in ${place}`;
}

function programOf(module: unknown, path: string): ProgramModule {
  const exported = typeof module === "object" && module !== null && "default" in module ? module.default : undefined;
  if (isProgram(exported)) return { run: exported, options: {}, summary: "" };
  if (isProgramModule(exported)) return exported;
  const why = exported === undefined ? "it has no default export" : "its default export is no program";
  throw new CliError(
    EXIT.usage,
    `Cannot run "${visibleText(path)}": ${why}; write export default defineProgram(async (context) => { … })`,
  );
}

function isProgram(value: unknown): value is Program {
  return typeof value === "function";
}

function isProgramModule(value: unknown): value is ProgramModule {
  return typeof value === "object" && value !== null && "run" in value && typeof value.run === "function" &&
    "options" in value && isTexts(value.options);
}

function isTexts(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.values(value).every((each) => typeof each === "string");
}

/** The file's or program's name without its ending: what the trace is called. */
export function traceName({ what }: Found): string {
  return stemOf(what.name);
}
