// The commands that show again what a report shows: the recording with the flags that it had, and the audit after it.
// No file is named where the verbs find it themselves, so that pasting them overwrites nothing. Must not know findings.
import { defaultOptions, type ModelOptions } from "../api/mod.ts";
import { PROGRAMS } from "../programs/mod.ts";
import type { Selection, TraceHeader } from "../trace/mod.ts";
import type { AuditArgs } from "./grammar.ts";
import { selectionOf } from "./selection.ts";
import { commandLine, shellPath } from "./shell.ts";

/** The commands, as they are typed where the program is called `self`. */
export function reproducingCommands(header: TraceHeader, args: AuditArgs, self: string): string[] {
  const flags = commandLine(auditFlags(args));
  // What was captured happens no second time, and a trace does not know its capture's name: the trace is what there is.
  const [path] = args.traces;
  if (header.program.kind === "import" && args.traces.length === 1 && path !== undefined) {
    return [`${self} audit ${shellPath(path)}${flags === "" ? "" : ` ${flags}`}`];
  }
  return [`${self} ${recordCommand(header)}`, `${self} audit${flags === "" ? "" : ` ${flags}`}`];
}

function recordCommand(header: TraceHeader): string {
  const { program } = header;
  if (program.kind === "import") return "import CAPTURE.etl";
  const words = ["record", shellPath(program.name), ...recordFlags(header).map((word) => commandLine([word]))];
  const args = program.args.length === 0 ? [] : ["--", commandLine(program.args)];
  return [...words, ...args].join(" ");
}

function recordFlags({ program, options, seed, sites, memory, wallClock, selection }: TraceHeader): string[] {
  const usual = new Map<string, string>(Object.entries(usualOptions(program)));
  const changed = Object.entries<string>(options).filter(([name, value]) => usual.get(name) !== value);
  return [
    ...(program.kind === "calls" ? [] : ["--seed", String(seed)]),
    ...(sites === "creating" ? [] : ["--sites", sites]),
    ...(memory === "full" ? [] : ["--memory", memory]),
    ...(wallClock ? [] : ["--wall-clock", "off"]),
    ...changed.flatMap(([name, value]) => ["--option", `${name}=${value}`]),
    ...(selection === null ? [] : filterFlags(selection)),
  ];
}

function filterFlags({ range, calls, levels, sides, objects }: Selection): string[] {
  return [
    ...(range === null ? [] : ["--range", `@${range.from}-${range.to === null ? "" : `@${range.to}`}`]),
    ...calls.flatMap((call) => ["--call", call]),
    ...(levels.length === 0 ? [] : ["--level", levels.join(",")]),
    ...sides.flatMap((side) => ["--side", side]),
    ...objects.flatMap((object) => ["--object", object]),
  ];
}

/** What the recording would have without a flag; a module's own options are not known here, and said again. */
function usualOptions({ kind, name }: TraceHeader["program"]): Partial<ModelOptions> {
  if (kind === "calls") return defaultOptions();
  const own = kind === "builtin" && Object.hasOwn(PROGRAMS, name) ? PROGRAMS[name]?.options : {};
  return { ...defaultOptions(), "initial-callbacks": "none", ...own };
}

function auditFlags({ strictRemap, filters }: AuditArgs): string[] {
  return [
    ...(strictRemap ? ["--strict-remap"] : []),
    ...filterFlags(selectionOf(filters)),
    ...filters.rules.flatMap((rule) => ["--rule", rule]),
  ];
}
