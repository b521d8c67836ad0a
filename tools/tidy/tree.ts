// Rules over the tree as a whole: names of files and folders, doors, and what must not stand in any text.
// It must not read files.

import { folderOf } from "./floors.ts";
import type { Failure } from "./rule.ts";
import type { TextFile } from "./source.ts";

const VAGUE = /^(?:utils?|common|helpers?|base)$/;

/** Files and folders that are not named for what they provide. */
export function vagueNames(paths: readonly string[]): Failure[] {
  return paths.flatMap((path) => {
    const vague = path.split("/").find((part) => VAGUE.test(part.split(".")[0] ?? ""));
    return vague === undefined ? [] : [{
      path,
      line: 1,
      rule: "vague-name",
      is: `named ${vague}`,
      wanted: "a name for what it provides",
      fix: "rename it for its subject",
    }];
  });
}

/** Folders of `src/` without a door. */
export function missingDoors(paths: readonly string[]): Failure[] {
  const folders = new Set(paths.map(folderOf).filter((folder) => folder !== null && folder !== "cli"));
  return [...folders].filter((folder) => !paths.includes(`src/${folder}/mod.ts`)).map((folder) => ({
    path: `src/${folder}/mod.ts`,
    line: 1,
    rule: "doors",
    is: `${folder} has no door`,
    wanted: "a mod.ts in every folder",
    fix: `write src/${folder}/mod.ts with the exports that others use`,
  }));
}

const MACHINE_NAMES: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/\bregistry\.[\w-]+(?:\.[a-z]|:\d)/g, "the host of a package registry"],
  [/\bjsr\.io\b/g, "the host of a package registry"],
  [/(?<![\w.-])\/work\//g, "a path of one machine"],
];

/** Names of machines in text that is committed. */
export function machineNames(files: readonly TextFile[]): Failure[] {
  return files.flatMap(({ path, text }) =>
    MACHINE_NAMES.flatMap(([pattern, name]) =>
      [...text.matchAll(pattern)].map(({ index, 0: found }) => ({
        path,
        line: text.slice(0, index).split("\n").length,
        rule: "machine-name",
        is: `${name} (${found})`,
        wanted: "text that holds on every machine",
        fix: "leave it out, or make the path relative",
      }))
    )
  );
}
