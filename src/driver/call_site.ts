// Where a program made a call: the first frame of the stack that is not the driver's own.
// A stack costs microseconds, so the caller asks only for calls whose site is kept. A site is never guessed: no frame, no site.

import type { Site } from "../trace/mod.ts";

const DRIVER_FOLDER = new URL("./", import.meta.url).href;
const FRAME = /^\s+at (?:async )?(?:(.+?) \()?((?:file|https?|data|blob):[^()]*?):(\d+):(\d+)\)?$/;

/** The program's frame, its file relative to `folder` (a URL that ends in `/`), or null. */
export function captureSite(folder: string): Site | null {
  const lines = (new Error().stack ?? "").split("\n").slice(1);
  for (const line of lines) {
    const [, name, file, row, column] = FRAME.exec(line) ?? [];
    if (file === undefined || file.startsWith(DRIVER_FOLDER)) continue;
    return { file: relativeTo(folder, file), line: Number(row), column: Number(column), function: functionName(name) };
  }
  return null;
}

/** The name that the program gave; V8 makes one up for a nameless function (`Object.body`, `defineProgram.summary`): that is none. */
function functionName(name: string | undefined): string {
  const given = (name ?? "").replace(/ \[as .*\]$/, "").replace(/^new /, "");
  return /^(?:[A-Z]\w*\.)?#?\w+$/.test(given) && !/^(?:Object|Module|Function|Array|Promise)\./.test(given)
    ? given
    : "";
}

/** A file below the program's folder by its path from there; any other by its last two parts. */
function relativeTo(folder: string, file: string): string {
  const isBelow = folder !== "" && file.startsWith(folder);
  return decoded(isBelow ? file.slice(folder.length) : file.split("/").slice(-2).join("/"));
}

/** A URL's part as text; as it stands where its escapes make none. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
