// Finds what `record` runs: a built-in program, a TypeScript module, or a `.calls` scenario.
// It must not know how a program is recorded.

import { parseScenario } from "../api/mod.ts";
import type { Program, ProgramModule } from "../driver/mod.ts";
import { PROGRAMS, PROGRAMS_FOLDER } from "../programs/mod.ts";
import type { Recordable } from "../record/mod.ts";
import { CliError, EXIT } from "./exit.ts";
import type { Io } from "./io.ts";
import { readInput, resolvePath, stemOf } from "./paths.ts";
import { unknownName } from "./suggest.ts";

/** What `record` runs without a name: the whole story in one run. */
export const DEFAULT_PROGRAM = "gpu-pv";

/** What to run, and the folder that its call sites are relative to. */
export interface Found {
  readonly what: Recordable;
  readonly folder: string;
  /** Options of the model that the program needs. */
  readonly options: Readonly<Record<string, string>>;
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
  if (program.endsWith(".calls")) return await findScenario(io, program, args);
  if (/\.[cm]?[tj]s$/.test(program)) return await findModule(io, program, args);
  throw new CliError(EXIT.usage, unknownName("program", program, Object.keys(PROGRAMS)));
}

async function findScenario(io: Io, path: string, args: readonly string[]): Promise<Found> {
  if (args.length > 0) {
    throw new CliError(EXIT.usage, `Cannot pass ${args.join(" ")} to ${path}: a scenario takes no arguments`);
  }
  const bytes = await readInput(io, path);
  const file = path.split(/[/\\]/).at(-1) ?? path;
  const scenario = parseScenario(new TextDecoder().decode(bytes), { file });
  return { what: { kind: "calls", name: file, scenario }, folder: "", options: scenario.options };
}

async function findModule(io: Io, path: string, args: readonly string[]): Promise<Found> {
  const full = resolvePath(io.folder, path);
  const url = new URL(`file://${full.split("/").map(encodeURIComponent).join("/")}`);
  if (!(await exists(full))) throw new CliError(EXIT.unreadable, `Cannot run ${path}: there is no such file`);
  const module: unknown = await importModule(url, path);
  const program = programOf(module, path);
  return {
    what: { kind: "module", name: full.split("/").at(-1) ?? path, module: program, args },
    folder: new URL("./", url).href,
    options: program.options,
  };
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then((info) => info.isFile, () => false);
}

async function importModule(url: URL, path: string): Promise<unknown> {
  try {
    return await import(url.href);
  } catch (error) {
    throw new CliError(
      EXIT.unreadable,
      `Cannot run ${path}: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

function programOf(module: unknown, path: string): ProgramModule {
  const exported = typeof module === "object" && module !== null && "default" in module ? module.default : undefined;
  if (isProgram(exported)) return { run: exported, options: {}, summary: "" };
  if (isProgramModule(exported)) return exported;
  throw new CliError(
    EXIT.usage,
    `Cannot run ${path}: its default export is no program; export default defineProgram(async (context) => { … })`,
  );
}

function isProgram(value: unknown): value is Program {
  return typeof value === "function";
}

function isProgramModule(value: unknown): value is ProgramModule {
  return typeof value === "object" && value !== null && "run" in value && typeof value.run === "function" &&
    "options" in value;
}

/** The file's or program's name without its ending: what the trace is called. */
export function traceName({ what }: Found): string {
  return stemOf(what.name);
}
