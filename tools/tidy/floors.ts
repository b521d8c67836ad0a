// The house: which folder stands on which floor, who may import whom, and only through doors.
// It must not know how imports are found.

import { inSource, type SourceRule, type Spot } from "./rule.ts";
import type { SourceFile } from "./source.ts";

const FLOORS: Readonly<Record<string, number>> = {
  range: 0,
  wire: 0,
  api: 1,
  trace: 2,
  engine: 2,
  driver: 3,
  record: 4,
  replay: 4,
  diff: 4,
  audit: 4,
  import: 4,
  gpupv: 4,
  programs: 5,
  view: 5,
  cli: 6,
};

/**
 * Files that may be imported past their folder's door, which loads far more than they need: `info` and `dump` answer before
 * the rest of the house would be loaded.
 */
const SIDE_DOORS: ReadonlySet<string> = new Set([
  "src/api/notation/text_literal.ts",
  "src/api/options.ts",
  "src/trace/outline.ts",
  "src/view/dump.ts",
]);

const DRIVER_FLOOR = 3;
const CLI_FLOOR = 6;
/** Above the driver's floor, who may import `engine`. */
const RUN_THE_ENGINE = ["record", "replay"];

/** The folder of `src/` that a path is in: `api` for `src/api/notation/print.ts`; null for what is elsewhere. */
export function folderOf(path: string): string | null {
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? null;
}

/** The path that a relative specifier leads to, or null for a package. */
export function targetOf(path: string, specifier: string): string | null {
  if (!specifier.startsWith(".")) return null;
  const parts = path.split("/").slice(0, -1);
  for (const step of specifier.split("/")) {
    if (step === "..") parts.pop();
    else if (step !== ".") parts.push(step);
  }
  return parts.join("/");
}

/** Why one folder may not import another, or null where it may. */
export function floorBreach(from: string, to: string): string | null {
  const own = FLOORS[from];
  const other = FLOORS[to];
  if (own === undefined) return `${from} stands on no floor`;
  if (other === undefined) return `${to} stands on no floor`;
  if (own === CLI_FLOOR) return null;
  if (other > own) return `${from} (floor ${own}) imports ${to} (floor ${other})`;
  if (other === own) return `${from} imports its neighbour ${to} (floor ${own})`;
  if (to === "engine" && own > DRIVER_FLOOR && !RUN_THE_ENGINE.includes(from)) {
    return `${from} imports engine, which only ${RUN_THE_ENGINE.join(" and ")} may on floor 4 and above`;
  }
  return null;
}

function findFloors(source: SourceFile): Spot[] {
  const from = folderOf(source.path);
  return source.imports.flatMap(({ specifier, line }) => {
    const target = targetOf(source.path, specifier);
    if (specifier === "maptrail") return [{ line, is: "imports the public surface from inside" }];
    if (target === null) return [];
    if (from === "cli" && target === "deno.json") return [];
    if (!inSource(target)) return [{ line, is: `imports ${target}, which is outside src` }];
    const to = folderOf(target);
    const breach = from === null || to === null || from === to ? null : floorBreach(from, to);
    return breach === null ? [] : [{ line, is: breach }];
  });
}

function findDoors(source: SourceFile): Spot[] {
  const from = folderOf(source.path);
  return source.imports.flatMap(({ specifier, line }) => {
    const target = targetOf(source.path, specifier);
    const to = target === null ? null : folderOf(target);
    const isDoor = target === `src/${to}/mod.ts` || (target !== null && SIDE_DOORS.has(target));
    if (to === null || to === from || isDoor) return [];
    return [{ line, is: `imports ${target} past the door` }];
  });
}

function findPackages(source: SourceFile): Spot[] {
  const inWire = folderOf(source.path) === "wire";
  return source.imports.flatMap(({ specifier, line }) => {
    if (/^(?:npm|jsr|https?):/.test(specifier)) return [{ line, is: `imports ${specifier} by its address` }];
    const isBuiltin = specifier.startsWith("node:");
    const admitted = folderOf(source.path) === null || folderOf(source.path) === "cli" ||
      (inWire && specifier === "node:zlib");
    return isBuiltin && !admitted ? [{ line, is: `imports ${specifier} below cli` }] : [];
  });
}

/** Rules over imports. */
export const IMPORT_RULES: readonly SourceRule[] = [
  {
    name: "floors",
    wanted: "only lower floors, none of the same",
    fix: "move what is shared to a lower floor, or put the two together in src/cli",
    holdsIn: inSource,
    find: findFloors,
  },
  {
    name: "doors",
    wanted: "other folders only through their mod.ts",
    fix: "import the folder's mod.ts, and export the name there",
    holdsIn: (path) => !path.startsWith("tests/"),
    find: findDoors,
  },
  {
    name: "packages",
    wanted: "packages by a name of the import map, and node:zlib in wire alone",
    fix: "name the package in deno.json and import that name, or move the code to src/cli",
    holdsIn: () => true,
    find: findPackages,
  },
];
