// The files of a ring while it runs: the newest segment stands under the trace's own name, those before it beside it as
// FILE.1.part and so on. At the end they become one. Whatever kills the process, each of them is a trace that every verb
// reads. A kill while a segment begins can also leave FILE.next, which holds no event, and the newest segment under both of
// its names. Must not know what is in a segment.
import { basename, dirname } from "node:path";
import { MemorySegments, type RingSegments } from "../record/mod.ts";
import type { ByteSink, ByteSource } from "../trace/mod.ts";
import { sizeText } from "../wire/mod.ts";
import { CliError, EXIT } from "./exit.ts";
import type { Io } from "./io.ts";
import {
  createOutput,
  type InputFile,
  openFile,
  type OutputChoice,
  type OutputFile,
  resolvePath,
  STANDARD_STREAM,
} from "./paths.ts";

/** An output, and where the segments of the ring that will fill it are kept. */
export interface RingOutput {
  readonly output: OutputFile;
  readonly segments: RingSegments;
}

/** How a ring's output is chosen, and how large the ring may be. */
export interface RingChoice extends OutputChoice {
  readonly ringBytes: number;
}

/** A ring that has no file is held in memory, so it is bounded. */
const MOST_MEMORY_BYTES = 256 * 2 ** 20;

/** Makes the output of a ring; what is no file of its own, as standard output, has its segments in memory. */
export function createRing(io: Io, choice: RingChoice): RingOutput {
  const output = createOutput(io, choice);
  const full = resolvePath(io.folder, output.path);
  if (output.path === STANDARD_STREAM || !isFile(full)) return inMemory(io, output, choice);
  try {
    clearParts(full, choice.force);
  } catch (error) {
    output.discard();
    throw error;
  }
  const files = new RingFiles(io, output);
  return { output: files, segments: files };
}

/** A pipe takes nothing back, and which part of a run is its last is known when the run is over. */
function inMemory(io: Io, output: OutputFile, { ringBytes }: RingChoice): RingOutput {
  const where = output.path === STANDARD_STREAM ? "standard output" : `"${output.path}"`;
  if (ringBytes > MOST_MEMORY_BYTES) {
    output.discard();
    const most = sizeText(MOST_MEMORY_BYTES);
    throw new CliError(
      EXIT.usage,
      `Give -o FILE, or a ring of ${most} at most: ${where} takes nothing back, so memory has it.`,
    );
  }
  io.talk(`The ring is kept in memory and goes to ${where} when the run ends; a kill leaves nothing of it.`);
  return { output, segments: new MemorySegments() };
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Parts that a killed recording left, or one that could not join them, are as good as any file: they go where they may be overwritten. */
function clearParts(full: string, force: boolean): void {
  const folder = dirname(full);
  const start = `${basename(full)}.`;
  const parts = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name.startsWith(start) && /^(?:\d+\.part|joined|next)$/.test(name.slice(start.length)));
  const [first] = parts;
  if (first !== undefined && !force) {
    throw new CliError(EXIT.usage, `Choose another name, or add --force: "${first}", of an earlier ring, exists.`);
  }
  for (const part of parts) Deno.removeSync(`${folder}/${part}`);
}

class RingFiles implements OutputFile, RingSegments {
  readonly path: string;
  readonly #io: Io;
  /** The newest segment, under the trace's own name. */
  #newest: OutputFile;
  #number = 1;
  /** Numbers of the segments that stand beside it. */
  readonly #parts = new Set<number>();
  /** The one before, whose end is not written yet. */
  #previous: OutputFile | null = null;
  /** The name of the newest, as long as it has no header. */
  #next: string | null = null;
  #read: InputFile | null = null;
  /** What the segments are joined into. */
  #joined: OutputFile | null = null;
  /** The joined trace is all that there is. */
  #isOver = false;

  constructor(io: Io, newest: OutputFile) {
    this.path = newest.path;
    this.#io = io;
    this.#newest = newest;
  }

  get sizeInBytes(): number {
    return (this.#joined ?? this.#newest).sizeInBytes;
  }

  begin(number: number): ByteSink {
    this.#number = number;
    if (number === 1) return this.#newest;
    this.#previous?.close();
    const next = `${this.path}.next`;
    const segment = createOutput(this.#io, { output: next, name: next, force: true });
    this.#next = next;
    this.#previous = this.#newest;
    this.#newest = segment;
    return {
      write: (bytes) => {
        segment.write(bytes);
        if (this.#next === next) this.#place(next, number - 1);
      },
    };
  }

  /** What stands under the trace's name becomes a part, and the next segment, which has a header now, takes the name. */
  #place(next: string, number: number): void {
    const full = this.#full(this.path);
    giveName(full, this.#full(this.#partOf(number)));
    this.#parts.add(number);
    Deno.renameSync(this.#full(next), full);
    this.#next = null;
  }

  read(number: number): ByteSource {
    const file = openFile(this.#io, number === this.#number ? this.path : this.#partOf(number));
    this.#read = file;
    return { size: file.sizeInBytes, read: (offsetBytes, length) => file.read(offsetBytes, length) };
  }

  drop(number: number): void {
    this.#read?.close();
    this.#read = null;
    if (this.#parts.delete(number)) Deno.removeSync(this.#full(this.#partOf(number)));
  }

  /** Writes on to the joined trace. */
  write(bytes: Uint8Array): void {
    const output = `${this.path}.joined`;
    this.#joined ??= createOutput(this.#io, { output, name: output, force: true });
    this.#joined.write(bytes);
  }

  /** The joined trace takes its place: nothing else holds anything of it any more. */
  end(): void {
    if (this.#joined === null) return;
    this.#closeAll();
    Deno.renameSync(this.#full(this.#joined.path), this.#full(this.path));
    this.#isOver = true;
  }

  close(): void {
    if (this.#isOver) return;
    this.#closeAll();
    const [oldest] = this.#parts;
    const places = [
      ...(this.#joined === null ? [] : [`"${this.#joined.path}"`]),
      ...(oldest === undefined ? [] : [`"${this.#partOf(oldest)}" and on`]),
    ];
    if (places.length > 0) this.#io.complain(`What came before "${this.path}" stands in ${places.join(", then in ")}.`);
  }

  #closeAll(): void {
    this.#read?.close();
    this.#previous?.close();
    this.#newest.close();
    this.#joined?.close();
    if (this.#next !== null) Deno.removeSync(this.#full(this.#next));
    this.#next = null;
  }

  discard(): void {
    this.#closeAll();
    const parts = Array.from(this.#parts, (number) => this.#partOf(number));
    for (const path of [this.path, ...parts]) Deno.removeSync(this.#full(path));
  }

  #partOf(number: number): string {
    return `${this.path}.${number}.part`;
  }

  #full(path: string): string {
    return resolvePath(this.#io.folder, path);
  }
}

/** Gives a file another name; where it can have two, there is a trace under the first one at every moment. */
function giveName(path: string, name: string): void {
  try {
    Deno.linkSync(path, name);
  } catch {
    Deno.renameSync(path, name);
  }
}
