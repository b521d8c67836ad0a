// The memory deltas of a chunk, for writing: their columns, and their bytes one after the other. It must not know events.

import { ByteWriter, NumberColumn, type PlaneSink, writeBytes, writeColumn } from "../wire/mod.ts";
import type { MemoryDelta } from "./event.ts";

/** The columns of one chunk's memory deltas after the other. */
export class MemoryColumns {
  readonly #page = new NumberColumn();
  readonly #offset = new NumberColumn();
  readonly #length = new NumberColumn();
  readonly #digest = new NumberColumn();
  readonly #bytes = new ByteWriter();

  /** Appends a delta that fits. */
  append({ page, offset, length, digest, bytes }: MemoryDelta): void {
    this.#page.pushNumber(page);
    this.#offset.push(offset);
    this.#length.push(length);
    this.#digest.push(digest);
    if (bytes !== null) this.#bytes.bytes(bytes);
  }

  /** Writes all columns, then the bytes. */
  write(sink: PlaneSink): void {
    for (const column of [this.#page, this.#offset, this.#length, this.#digest]) writeColumn(column, sink);
    writeBytes(this.#bytes.view(), sink);
  }

  /** Forgets the rows, keeps the buffers. */
  clear(): void {
    for (const column of [this.#page, this.#offset, this.#length, this.#digest]) column.clear();
    this.#bytes.clear();
  }
}
