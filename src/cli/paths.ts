// Files as the user names them: relative to the folder that the user stands in, `-` for the standard streams, the
// newest trace where none is named, and no file overwritten unasked. Must not know what is inside a file.
import { basename, extname, join, resolve } from "node:path";
import { visibleText } from "../api/notation/text_literal.ts";
import { CliError, EXIT, isClosedPipe, isDiskFull } from "./exit.ts";
import type { Io } from "./io.ts";
import { readStream } from "./streams.ts";

/** The name that means standard input or output. */
export const STANDARD_STREAM = "-";
/** How the names of traces end. */
export const TRACE_EXTENSION = ".msgpack";

/** The folder that the user stands in: `deno task` moves to the project's and leaves the user's in INIT_CWD. */
export function standingFolder(): { readonly folder: string; readonly underTask: boolean } {
  const initial = environment("INIT_CWD");
  return initial ? { folder: initial, underTask: true } : { folder: Deno.cwd(), underTask: false };
}

/** A variable of the environment; undefined also where Deno does not let us look: asked first, since Deno would ask the user. */
function environment(variable: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  return state === "granted" ? Deno.env.get(variable) : undefined;
}

/** The path that a user's word means, seen from `folder`; `-` stays as it is. */
export function resolvePath(folder: string, path: string): string {
  return path === STANDARD_STREAM ? path : resolve(folder, path);
}

/** A path's last part without its extension: what a trace of it is called. `-` gives `stdin`. */
export function stemOf(path: string): string {
  if (path === STANDARD_STREAM) return "stdin";
  return basename(path, extname(path)) || "trace";
}

/** The newest `*.msgpack` of a folder by modification time, then by name (`run-10` is newer than `run-2`). */
export function newestTrace(folder: string): string | undefined {
  return candidates(folder).sort((left, right) => right.modifiedMs - left.modifiedMs || -compareNames(left, right))
    .at(0)?.name;
}

interface Candidate {
  readonly name: string;
  readonly modifiedMs: number;
  readonly stem: string;
  readonly count: number;
}

function candidates(folder: string): Candidate[] {
  const names = reading(folder, () => [...Deno.readDirSync(folder)]).map((entry) => entry.name);
  return names.filter((name) => name.endsWith(TRACE_EXTENSION)).flatMap((name) => {
    const info = statOrNothing(resolve(folder, name));
    const [, stem = "", count = "1"] = /^(.*?)(?:-(\d{1,9}))?\.msgpack$/.exec(name) ?? [];
    return info?.isFile ? [{ name, modifiedMs: info.mtime?.getTime() ?? 0, stem, count: Number(count) }] : [];
  });
}

function compareNames(left: Candidate, right: Candidate): number {
  if (left.stem !== right.stem) return left.stem < right.stem ? -1 : 1;
  return left.count - right.count;
}

/** A dangling link is no trace, and no reason to fail. */
function statOrNothing(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    const { NotFound, PermissionDenied, NotCapable } = Deno.errors;
    if ([NotFound, PermissionDenied, NotCapable].some((kind) => error instanceof kind)) return undefined;
    throw error;
  }
}

/** The trace that the user means: the one named, else the newest in the folder, and then says which. */
export function traceOrNewest(io: Io, path: string | undefined): string {
  if (path !== undefined) return path;
  const newest = newestTrace(io.folder);
  if (newest === undefined) {
    const advice = `Name a trace, or make one with "${io.self} record"`;
    throw new CliError(EXIT.unreadable, `${advice}: no *${TRACE_EXTENSION} file in ${io.folder}.`);
  }
  io.talk(`Using ${newest}, the newest trace in this folder.`);
  return newest;
}

/** The trace of this name, or where it is a folder all `*.msgpack` in it, by name. */
export function tracesAt(io: Io, path: string): readonly string[] {
  const full = resolvePath(io.folder, path);
  if (path === STANDARD_STREAM || statOrNothing(full)?.isDirectory !== true) return [path];
  const names = candidates(full).sort(compareNames).map(({ name }) => join(path, name));
  if (names.length === 0) {
    throw new CliError(
      EXIT.unreadable,
      `Name a folder with traces: no *${TRACE_EXTENSION} file in ${visibleText(path)}.`,
    );
  }
  return names;
}

/** A file open for reading anywhere in it. */
export interface InputFile {
  /** As the user typed it. */
  readonly path: string;
  readonly sizeInBytes: number;
  /** Reads up to `length` bytes from `offsetBytes` on; fewer only at the end of the file. */
  read(offsetBytes: number, length: number): Uint8Array<ArrayBuffer>;
  /** As `read`, into bytes of the caller's; how many there were. */
  readInto(offsetBytes: number, bytes: Uint8Array): number;
  close(): void;
}

/** Told the first bytes of what has no size: throws where reading on makes no sense. */
type Check = (first: Uint8Array) => void;

/** All bytes of a file, or of standard input for `-`. */
export async function readInput(io: Io, path: string, check?: Check): Promise<Uint8Array<ArrayBuffer>> {
  if (isSized(io, path)) return reading(path, () => Deno.readFileSync(resolvePath(io.folder, path)));
  const how = { name: quoted(path), ...(check && { check }) };
  if (path === STANDARD_STREAM) return await readStream(io.stdin(), how);
  const file = reading(path, () => Deno.openSync(resolvePath(io.folder, path)));
  return await readStream(file.readable, how);
}

/** Opens a file for reading piece by piece; `-` and pipes, which have no size, are read whole first. */
export async function openInput(io: Io, path: string, check?: Check): Promise<InputFile> {
  return isSized(io, path) ? openFile(io, path) : inMemory(path, await readInput(io, path, check));
}

/** Whether it is a file and no stream. Throws for what cannot be read, a folder for one. */
function isSized(io: Io, path: string): boolean {
  if (path === STANDARD_STREAM) return false;
  const { isFile, isDirectory } = reading(path, () => Deno.statSync(resolvePath(io.folder, path)));
  if (isDirectory) throw unreadable(path, new Deno.errors.IsADirectory(path));
  return isFile;
}

/** Opens a file of known size for reading. */
export function openFile(io: Io, path: string): InputFile {
  const file = reading(path, () => Deno.openSync(resolvePath(io.folder, path)));
  return {
    path,
    sizeInBytes: reading(path, () => file.statSync().size),
    read: (offsetBytes, length) =>
      reading(path, () => {
        const bytes = new Uint8Array(length);
        return bytes.subarray(0, readAt(file, offsetBytes, bytes));
      }),
    readInto: (offsetBytes, bytes) => reading(path, () => readAt(file, offsetBytes, bytes)),
    close: () => file.close(),
  };
}

function inMemory(path: string, bytes: Uint8Array<ArrayBuffer>): InputFile {
  return {
    path,
    sizeInBytes: bytes.length,
    read: (offsetBytes, length) => bytes.subarray(offsetBytes, offsetBytes + length),
    readInto(offsetBytes, into) {
      const found = bytes.subarray(offsetBytes, offsetBytes + into.length);
      into.set(found);
      return found.length;
    },
    close() {},
  };
}

function readAt(file: Deno.FsFile, offsetBytes: number, bytes: Uint8Array): number {
  file.seekSync(offsetBytes, Deno.SeekMode.Start);
  let filled = 0;
  while (filled < bytes.length) {
    const count = file.readSync(bytes.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return filled;
}

function reading<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): unknown {
  const { NotFound, IsADirectory, NotADirectory, PermissionDenied, NotCapable } = Deno.errors;
  const why = error instanceof NotFound
    ? "there is no such file"
    : error instanceof IsADirectory
    ? "it is a folder, and a file is wanted"
    : error instanceof NotADirectory
    ? "a part of the path is a file, not a folder"
    : error instanceof PermissionDenied
    ? "its permissions forbid it"
    : error instanceof NotCapable
    ? "Deno does not let this process read there (--allow-read, for devices --allow-all)"
    : systemReason(error);
  return why === undefined
    ? error
    : new CliError(EXIT.unreadable, `Cannot read ${quoted(path)}: ${why}.`, { cause: error });
}

const SYSTEM_ERROR = / \(os error \d+\).*$/;

/** What the operating system said, where it said anything: `Input/output error`. */
function systemReason(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const isOfSystem = "code" in error || SYSTEM_ERROR.test(error.message);
  return isOfSystem ? error.message.replace(SYSTEM_ERROR, "") : undefined;
}

function quoted(path: string): string {
  return path === STANDARD_STREAM ? "standard input" : `"${visibleText(path)}"`;
}

/** Where a verb writes its result. */
export interface OutputFile {
  /** As to be shown: what the user typed, or the name that was free; `-` for standard output. */
  readonly path: string;
  readonly sizeInBytes: number;
  /** Writes all of it, or throws a CliError with exit code 5. */
  write(bytes: Uint8Array): void;
  close(): void;
  /** Closes it and removes what was made: the work came to nothing. */
  discard(): void;
}

/** How an output is chosen. */
export interface OutputChoice {
  /** `-o`: this file, or `-`. Left out, a free name is made from `name`. */
  readonly output: string | undefined;
  /** `gpu-pv` for `gpu-pv.msgpack`, `gpu-pv-2.msgpack`, … */
  readonly name: string;
  /** Overwrites the file that `output` names. */
  readonly force: boolean;
  /** What the result is made of, which is never overwritten; `-` is none. */
  readonly source?: string;
}

const MOST_NAMES = 100_000;

/** Makes the output file at once, so that a bad name fails before the work and not after it. */
export function createOutput(io: Io, choice: OutputChoice): OutputFile {
  const { output, name, source } = choice;
  if (output === STANDARD_STREAM) return standardOutput(io);
  if (output !== undefined) {
    if (source !== undefined && isSameFile(io, output, source)) {
      throw new CliError(EXIT.usage, `Choose another name: ${quoted(output)} is what the trace is made of.`);
    }
    return fileOutput(io, output, openNamed(io, output, choice.force));
  }
  for (let count = 1; count <= MOST_NAMES; count++) {
    const free = `${name}${count === 1 ? "" : `-${count}`}${TRACE_EXTENSION}`;
    const file = creating(free, () => openNew(resolvePath(io.folder, free)));
    if (file !== undefined) return fileOutput(io, free, file);
  }
  throw new CliError(EXIT.usage, `Name an output with -o: ${MOST_NAMES} files named ${name}-N are there already.`);
}

/** Opens a file that must not be there yet; undefined where it is. */
function openNew(path: string): Deno.FsFile | undefined {
  try {
    return Deno.openSync(path, { write: true, createNew: true });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return undefined;
    throw error;
  }
}

function openNamed(io: Io, output: string, force: boolean): Deno.FsFile {
  const full = resolvePath(io.folder, output);
  if (isFolder(full)) throw unwritable(output, new Deno.errors.IsADirectory(output));
  if (force) return creating(output, () => Deno.openSync(full, { write: true, create: true, truncate: true }));
  const file = creating(output, () => openNew(full));
  if (file !== undefined) return file;
  if (isDevice(full)) return creating(output, () => Deno.openSync(full, { write: true }));
  throw new CliError(EXIT.usage, `Choose another name, or add --force to overwrite: ${quoted(output)} exists.`);
}

/** Whether both names lead to one file, links followed. */
function isSameFile(io: Io, one: string, other: string): boolean {
  const [left, right] = [one, other].map((path) => statOrNothing(resolvePath(io.folder, path)));
  return left?.isFile === true && right?.isFile === true && left.ino !== null && left.ino === right.ino &&
    left.dev === right.dev;
}

function isFolder(path: string): boolean {
  return statOrNothing(path)?.isDirectory ?? false;
}

/** A pipe or `/dev/null` loses nothing by being written to. */
function isDevice(path: string): boolean {
  const info = statOrNothing(path);
  return info !== undefined && !info.isFile && !info.isDirectory;
}

function standardOutput(io: Io): OutputFile {
  if (io.out.terminal) {
    throw new CliError(EXIT.usage, "Give -o FILE, or a pipe: a trace is no text, and standard output is a terminal.");
  }
  let sizeInBytes = 0;
  return {
    path: STANDARD_STREAM,
    get sizeInBytes() {
      return sizeInBytes;
    },
    write(bytes) {
      writing("standard output", () => io.out.writeBytes(bytes));
      sizeInBytes += bytes.length;
    },
    close: () => io.out.flush(),
    discard: () => io.out.flush(),
  };
}

function fileOutput(io: Io, path: string, file: Deno.FsFile): OutputFile {
  let sizeInBytes = 0;
  return {
    path,
    get sizeInBytes() {
      return sizeInBytes;
    },
    write(bytes) {
      writing(path, () => writeWhole(file, bytes, sizeInBytes));
      sizeInBytes += bytes.length;
    },
    close: () => file.close(),
    discard() {
      file.close();
      const full = resolvePath(io.folder, path);
      if (!isDevice(full)) Deno.removeSync(full);
    },
  };
}

/** Writes all of it after the first `sizeInBytes`, or nothing: half a block is of no use, and takes room from the end. */
function writeWhole(file: Deno.FsFile, bytes: Uint8Array, sizeInBytes: number): void {
  try {
    for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
  } catch (error) {
    cutBack(file, sizeInBytes);
    throw error;
  }
}

function cutBack(file: Deno.FsFile, sizeInBytes: number): void {
  try {
    file.truncateSync(sizeInBytes);
    file.seekSync(sizeInBytes, Deno.SeekMode.Start);
  } catch {
    // A pipe or a device cannot be cut: its reader says what is damaged.
  }
}

/** A write that fails later is a result that could not be written: exit code 5. */
function writing<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (isClosedPipe(error)) throw error;
    const why = isDiskFull(error) ? "no room is left" : systemReason(error) ?? String(error);
    throw new CliError(EXIT.cutShort, `Cannot write on to ${quoted(path)}: ${why}. What was written is kept.`, {
      cause: error,
    });
  }
}

/** An output that cannot even be made. */
function creating<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw unwritable(path, error);
  }
}

function unwritable(path: string, error: unknown): CliError {
  const { NotFound, IsADirectory, NotADirectory, PermissionDenied, NotCapable } = Deno.errors;
  const why = error instanceof NotFound || error instanceof NotADirectory
    ? "its folder does not exist"
    : error instanceof IsADirectory
    ? "it is a folder, and a file is wanted"
    : error instanceof PermissionDenied
    ? "permissions forbid it"
    : error instanceof NotCapable
    ? "Deno does not let this process write there (--allow-write, for devices --allow-all)"
    : systemReason(error) ?? String(error);
  return new CliError(EXIT.cutShort, `Cannot write ${quoted(path)}: ${why}.`, { cause: error });
}
