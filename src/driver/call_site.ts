// Where a program made a call: the first frame below the driver's own.
// A stack costs microseconds, so the caller asks only for calls whose site is kept. A site is never guessed: no frame, no site.

import type { Site } from "../trace/mod.ts";

/** What V8 tells of a frame, as Deno hands it on: lines and columns of the source as it was written. */
interface Frame {
  getScriptNameOrSourceURL(): string | null;
  getLineNumber(): number | null;
  getColumnNumber(): number | null;
  getFunctionName(): string | null;
  getTypeName(): string | null;
}

/** `list.map(guest.FreeBuffer)` puts frames of the language between the call and the program: few, and each costs time. */
const FRAMES = 4;
const PROGRAM_FILE = /^(?:file|https?|data|blob):/;

/** Takes the frame instead of making text of a stack, which costs twice as much. */
class Holder {
  static frame: Frame | null = null;

  static take(_: unknown, frames: readonly Frame[]): string {
    Holder.frame = frames.find((frame) => PROGRAM_FILE.test(frame.getScriptNameOrSourceURL() ?? "")) ?? null;
    return "";
  }
}

/** The frame that called `method`, the driver's function that the program holds; its file relative to `folder` (a URL that ends in `/`), or null. */
export function captureSite(method: Method, folder: string): Site | null {
  const frame = frameBelow(method);
  const file = frame?.getScriptNameOrSourceURL() ?? null;
  if (frame === null || file === null) return null;
  return {
    file: relativeTo(folder, file),
    line: frame.getLineNumber() ?? 0,
    column: frame.getColumnNumber() ?? 0,
    function: functionName(frame),
  };
}

/** A method of a side, as a program calls it. */
export type Method = (args?: object) => Promise<unknown>;

function frameBelow(method: Method): Frame | null {
  const { stackTraceLimit, prepareStackTrace } = Error;
  const holder: { readonly stack?: string } = {};
  Error.stackTraceLimit = FRAMES;
  Error.prepareStackTrace = Holder.take;
  try {
    Error.captureStackTrace(holder, method);
    return holder.stack === undefined ? null : Holder.frame;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    Error.prepareStackTrace = prepareStackTrace;
    Holder.frame = null;
  }
}

/** Types that are the language's: a method of theirs has a name that V8 made up. */
const LANGUAGE_TYPES = new Set(["Object", "Module", "Function", "Array", "Promise"]);

/** The name that the program gave, a method's with its class; V8 makes one up for a nameless function: that is none. */
function functionName(frame: Frame): string {
  const name = frame.getFunctionName() ?? "";
  if (!/^#?\w+$/.test(name)) return "";
  const type = frame.getTypeName() ?? "";
  return type === "" || type === name || !/^[A-Z]\w*$/.test(type) || LANGUAGE_TYPES.has(type)
    ? name
    : `${type}.${name}`;
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
