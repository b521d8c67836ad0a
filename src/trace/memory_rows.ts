// The memory deltas of a chunk, for reading: their columns, then one delta after the other. It must not know events.

import { type NumberValues, type PlaneSource, readBytes, readColumn, WireError } from "../wire/mod.ts";
import { PARTITIONS } from "./chunk_layout.ts";
import type { MemoryDelta } from "./event.ts";
import { memoryTrouble } from "./validate.ts";

const WORD = 2 ** 32;
const SAFE = 2 ** 53;

/** The memory deltas of a chunk, in order. */
export class MemoryRows {
  readonly #columns: readonly NumberValues[];
  readonly #bytes: Uint8Array;
  #row = 0;
  #position = 0;

  /** `carries`: of each delta, whether it carries its bytes. */
  constructor(source: PlaneSource, carries: readonly boolean[]) {
    this.#columns = [SAFE, WORD, WORD, WORD].map((limit) => readColumn(source, carries.length, limit));
    let held = 0;
    for (const [row, carriesBytes] of carries.entries()) if (carriesBytes) held += this.#columns[2]?.at(row) ?? 0;
    this.#bytes = readBytes(source, held);
  }

  /** The next delta; `memory` says partition and whether it carries bytes, as its shape has it. */
  next(memory: number): MemoryDelta {
    const row = this.#row++;
    const length = this.#columns[2]?.at(row) ?? 0;
    const carriesBytes = memory % 2 === 0;
    const start = this.#position;
    if (carriesBytes) this.#position += length;
    const delta: MemoryDelta = {
      partition: PARTITIONS[(memory - 1) >> 1] ?? "guest",
      page: this.#columns[0]?.numberAt(row) ?? 0,
      offset: this.#columns[1]?.at(row) ?? 0,
      length,
      digest: this.#columns[3]?.at(row) ?? 0,
      bytes: carriesBytes ? new Uint8Array(this.#bytes.subarray(start, start + length)) : null,
    };
    const trouble = memoryTrouble(delta);
    if (trouble !== null) throw new WireError(`Cannot read event: ${trouble}`, 0);
    return delta;
  }
}
