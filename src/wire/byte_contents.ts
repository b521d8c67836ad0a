// The contents of a byte table, for reading: what was stored once, and the runs of it that stand for bytes. Every run is
// checked against the contents when its columns are read. It must not know what the bytes are for.

import { type NumberValues, readColumn } from "./plane_values.ts";
import type { PlaneSource } from "./planes.ts";
import { WireError } from "./wire_error.ts";

/** Bytes that all runs of a chunk may have together, repeated ones each time: what walking them takes. */
export const MAX_RUN_BYTES = 2 ** 27;

/** The contents of a chunk. */
export class ByteContents {
  readonly #bytes: readonly Uint8Array[];
  readonly #lengths: NumberValues;
  readonly #isNoise: NumberValues;
  /** Where each content starts in its part. */
  readonly #offsets: Uint32Array;
  #runBytes = 0;

  /** Reads the columns that `ByteTable.write` wrote; `WireError` unless the parts hold the contents and nothing else. */
  constructor(
    source: PlaneSource,
    { count, parts }: { readonly count: number; readonly parts: readonly Uint8Array[] },
  ) {
    this.#bytes = parts;
    this.#lengths = readColumn(source, count, 2 ** 32);
    this.#isNoise = readColumn(source, count, 2);
    source.spend(count);
    this.#offsets = new Uint32Array(count);
    const ends = [0, 0];
    for (let content = 0; content < count; content += 1) {
      const part = this.#isNoise.at(content);
      this.#offsets[content] = ends[part] ?? 0;
      ends[part] = (ends[part] ?? 0) + this.#lengths.at(content);
    }
    const has = [0, 1].map((part) => parts[part]?.length ?? 0);
    if (parts.length !== 2 || has[0] !== ends[0] || has[1] !== ends[1]) {
      throw new WireError(
        `Cannot read contents: they are ${ends.join(" and ")} bytes, the parts have ${has.join(" and ")}`,
        0,
      );
    }
  }

  /** How many contents there are. */
  get size(): number {
    return this.#lengths.length;
  }

  /** How long a content is. */
  lengthOf(content: number): number {
    return this.#lengths.at(content);
  }

  /** Counts bytes of runs; throws `WireError` above `MAX_RUN_BYTES`. */
  spend(bytes: number): void {
    this.#runBytes += bytes;
    if (this.#runBytes > MAX_RUN_BYTES) {
      throw new WireError(`Cannot read bytes: ${this.#runBytes} of a chunk exceed ${MAX_RUN_BYTES}`, 0);
    }
  }

  /** A copy of a part of a content, which must lie in it. */
  copy(content: number, start: number, length: number): Uint8Array {
    const from = (this.#offsets[content] ?? 0) + start;
    return new Uint8Array((this.#bytes[this.#isNoise.at(content)] ?? EMPTY).subarray(from, from + length));
  }
}

const EMPTY = new Uint8Array(0);

/** Runs of contents. */
export class ByteRuns {
  readonly #contents: ByteContents;
  readonly #content: NumberValues;
  readonly #start: NumberValues;
  /** How many bytes of its content follow a run. */
  readonly #rest: NumberValues;

  /** Reads the columns that `ByteRunColumns.write` wrote; `WireError` for a run that leaves its content. */
  constructor(source: PlaneSource, { rows, contents }: { readonly rows: number; readonly contents: ByteContents }) {
    this.#contents = contents;
    this.#content = readColumn(source, rows, contents.size);
    this.#start = readColumn(source, rows, 2 ** 32);
    this.#rest = readColumn(source, rows, 2 ** 32);
    for (let row = 0; row < rows; row += 1) {
      const length = this.lengthOf(row);
      if (length < 0) {
        throw new WireError(`Cannot read bytes: run ${row} leaves content ${this.#content.at(row)}`, 0);
      }
      contents.spend(length);
    }
  }

  /** How long a run is. */
  lengthOf(row: number): number {
    return this.#contents.lengthOf(this.#content.at(row)) - this.#start.at(row) - this.#rest.at(row);
  }

  /** A copy of the bytes of a run. */
  at(row: number): Uint8Array {
    return this.#contents.copy(this.#content.at(row), this.#start.at(row), this.lengthOf(row));
  }
}
