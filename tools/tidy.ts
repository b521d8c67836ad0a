// Checks the rules of style that a machine can check, and prints each failure with what mends it; exit code 1 if there is any.
// It must not know any rule: they are tables in tools/tidy/. Usage: deno run --allow-read tools/tidy.ts [FOLDER]

import { DXGKRNL } from "../src/api/dxgkrnl.ts";
import { GPU_VA } from "../src/api/gpu_va.ts";
import { GPU_VA_CALLBACKS } from "../src/api/gpu_va_kernel.ts";
import type { Calls } from "../src/api/grammar.ts";
import { KMCL } from "../src/api/kmcl.ts";
import { KMCL_CALLBACKS } from "../src/api/kmcl_callbacks.ts";
import { MACHINE } from "../src/api/machine.ts";
import { OBJECTS } from "../src/api/objects.ts";
import { STRUCTS } from "../src/api/structs.ts";
import { STATUS } from "../src/api/symbols.ts";
import { WIRE } from "../src/api/vmbus.ts";
import { catalogueFailures, unexercised } from "./tidy/catalogue.ts";
import { checkTree, isSource } from "./tidy/check.ts";
import { type Failure, failureText } from "./tidy/rule.ts";
import type { TextFile } from "./tidy/source.ts";

const SKIPPED_FOLDERS = [".git", "node_modules", ".deno", "coverage"];
const TEXT = /\.(?:md|ts|json|jsonc|yml|yaml)$/;
const SCENARIO = /^tests\/scenarios\/.*\.calls$/;
const SKIPPED_FILES = ["deno.lock"];

/** Files of a folder and below, in order of name, as paths from the root. */
function listFiles(root: string, folder = ""): string[] {
  const entries = [...Deno.readDirSync(`${root}/${folder}`)].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap(({ name, isDirectory, isFile }) => {
    if (isDirectory) return SKIPPED_FOLDERS.includes(name) ? [] : listFiles(root, `${folder}${name}/`);
    return isFile && !SKIPPED_FILES.includes(name) ? [`${folder}${name}`] : [];
  });
}

function readFiles(root: string, paths: readonly string[]): TextFile[] {
  return paths.map((path) => ({ path, text: Deno.readTextFileSync(`${root}/${path}`) }));
}

const TABLES: readonly Calls[] = [KMCL, KMCL_CALLBACKS, GPU_VA, GPU_VA_CALLBACKS, MACHINE, DXGKRNL, WIRE];

function declarationFailures(files: readonly TextFile[], scenarios: readonly TextFile[]): Failure[] {
  const calls = TABLES.flatMap((table) => Object.entries(table).map(([name, declaration]) => ({ name, declaration })));
  const around = { structs: STRUCTS, objects: OBJECTS, statuses: STATUS };
  return [...catalogueFailures(calls, around, files), ...unexercised(calls, scenarios, files)];
}

function main(root: string): void {
  const paths = listFiles(root);
  const files = readFiles(root, paths.filter((path) => TEXT.test(path)));
  const scenarios = readFiles(root, paths.filter((path) => SCENARIO.test(path)));
  const failures = checkTree(files, declarationFailures(files, scenarios));
  for (const failure of failures) console.log(failureText(failure));
  const count = files.filter(({ path }) => isSource(path)).length;
  console.log(failures.length === 0 ? `tidy: ${count} files` : `tidy: ${failures.length} failures in ${count} files`);
  if (failures.length > 0) Deno.exit(1);
}

main(Deno.args[0] ?? new URL("..", import.meta.url).pathname.replace(/\/$/, ""));
