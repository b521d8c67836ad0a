// The memory deltas of a chunk, for reading: their columns, then one delta after the other. It must not know events.

import {
  type ByteContents,
  ByteRuns,
  crc32,
  type NumberValues,
  type PlaneSource,
  readBytes,
  readColumn,
  WireError,
} from "../wire/mod.ts";
import { PARTITIONS } from "./chunk_layout.ts";
import type { MemoryDelta } from "./event.ts";
import { memoryTrouble } from "./validate.ts";

const WORD = 2 ** 32;
const SAFE = 2 ** 53;

/** The bytes of deltas, asked for in order. */
interface DeltaBytes {
  /** Those of the next delta, which has this length. */
  next(length: number): Uint8Array;
  /** The delta's digest, of what its column says. */
  digestOf(bytes: Uint8Array, said: number): number;
}

/** The memory deltas of a chunk, in order. */
export class MemoryRows {
  readonly #columns: readonly NumberValues[];
  readonly #bytes: DeltaBytes;
  #row = 0;

  /** `carries`: of each delta, whether it carries its bytes. `contents`: where they are; null: behind the columns. */
  constructor(
    source: PlaneSource,
    { carries, contents }: { readonly carries: readonly boolean[]; readonly contents: ByteContents | null },
  ) {
    this.#columns = [SAFE, WORD, WORD, WORD].map((limit) => readColumn(source, carries.length, limit));
    this.#bytes = contents === null
      ? joinedBytes(source, this.#lengthOf(carries))
      : sharedBytes(source, { rows: carries.filter((carriesBytes) => carriesBytes).length, contents });
  }

  /** The next delta; `memory` says partition and whether it carries bytes, as its shape has it. */
  next(memory: number): MemoryDelta {
    const row = this.#row++;
    const length = this.#columns[2]?.at(row) ?? 0;
    const bytes = memory % 2 === 0 ? this.#bytes.next(length) : null;
    const said = this.#columns[3]?.at(row) ?? 0;
    const delta: MemoryDelta = {
      partition: PARTITIONS[(memory - 1) >> 1] ?? "guest",
      page: this.#columns[0]?.numberAt(row) ?? 0,
      offset: this.#columns[1]?.at(row) ?? 0,
      length,
      digest: bytes === null ? said : this.#bytes.digestOf(bytes, said),
      bytes,
    };
    const trouble = memoryTrouble(delta);
    if (trouble !== null) throw new WireError(`Cannot read event: ${trouble}`, 0);
    return delta;
  }

  /** Bytes of those deltas that carry them. */
  #lengthOf(carries: readonly boolean[]): number {
    let length = 0;
    for (const [row, carriesBytes] of carries.entries()) if (carriesBytes) length += this.#columns[2]?.at(row) ?? 0;
    return length;
  }
}

/** Runs of the chunk's contents. */
function sharedBytes(
  source: PlaneSource,
  { rows, contents }: { readonly rows: number; readonly contents: ByteContents },
): DeltaBytes {
  const runs = new ByteRuns(source, { rows, contents });
  let row = 0;
  return { next: () => runs.at(row++), digestOf: (bytes, said) => (crc32(bytes) ^ said) >>> 0 };
}

/** One after the other, as version 1 had them. */
function joinedBytes(source: PlaneSource, length: number): DeltaBytes {
  const bytes = readBytes(source, length);
  let position = 0;
  return {
    next: (length) => {
      const start = position;
      position += length;
      return new Uint8Array(bytes.subarray(start, position));
    },
    digestOf: (_, said) => said,
  };
}
