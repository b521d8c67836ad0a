// Where columns of numbers stand as bytes: their heads, and byte planes in pools by entropy. Normative in trace/FORMAT.md.
// It must not know what the numbers mean, nor how pools are compressed.

import { ByteReader } from "./byte_reader.ts";
import { ByteWriter } from "./byte_writer.ts";
import { ColumnBuffers } from "./column_buffers.ts";

/** How many pools there are; the last is for bytes that no compressor shrinks. */
export const POOL_COUNT = 3;
/** Numbers that one source may hold in columns that are not constant: 128 MiB of memory. */
export const MAX_CELLS = 2 ** 24;
/** Elements of arrays that one source may hold, and all that these are made of: they may be constant, and take no bytes. */
export const MAX_ELEMENTS = 2 ** 19 + 2 ** 15;
/** What a column's head starts with. */
export const ENCODING = { constant: 0, planes: 1, deltas: 2 } as const;

/** Where columns are written: their heads, and their planes by entropy. */
export class PlaneSink {
  readonly heads = new ByteWriter();
  readonly pools: readonly ByteWriter[] = Array.from({ length: POOL_COUNT }, () => new ByteWriter());

  /** Forgets all, keeps the buffers. */
  clear(): void {
    this.heads.clear();
    for (const pool of this.pools) pool.clear();
  }
}

/** Where columns are read from, in the order in which they were written. */
export class PlaneSource {
  readonly heads: ByteReader;
  readonly pools: readonly ByteReader[];
  /** Where the numbers are put together. */
  readonly buffers: ColumnBuffers;
  #cells = 0;
  #elements = 0;

  constructor(heads: Uint8Array, pools: readonly Uint8Array[], buffers = new ColumnBuffers()) {
    this.buffers = buffers;
    this.heads = new ByteReader(heads);
    this.pools = pools.map((pool) => new ByteReader(pool));
  }

  /** Throws unless every byte was read. */
  expectEnd(): void {
    this.heads.expectEnd();
    for (const pool of this.pools) pool.expectEnd();
  }

  /** Counts numbers that will take memory; throws `WireError` above `MAX_CELLS`. */
  spend(cells: number): void {
    this.#cells += cells;
    if (this.#cells > MAX_CELLS) throw this.heads.error(`there are ${this.#cells} numbers, more than ${MAX_CELLS}`);
  }

  /** Counts elements of arrays; throws `WireError` above `MAX_ELEMENTS`. */
  spendElements(elements: number): void {
    this.#elements += elements;
    if (this.#elements <= MAX_ELEMENTS) return;
    throw this.heads.error(`there are ${this.#elements} elements of arrays, more than ${MAX_ELEMENTS}`);
  }

  /** Bytes of the pool of this number. */
  take(pool: number, count: number): Uint8Array {
    const reader = this.pools[pool];
    if (reader === undefined) throw this.heads.error(`there is no pool ${pool}`);
    return reader.bytes(count);
  }
}

/** Reads what `writeBytes` wrote; a view. */
export function readBytes(source: PlaneSource, count: number): Uint8Array {
  return count === 0 ? new Uint8Array(0) : source.take(source.heads.u8(), count);
}
