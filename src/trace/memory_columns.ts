// The memory deltas of a chunk, for writing: their columns, and where their bytes are. It must not know events.

import { ByteRunColumns, type ByteTable, NumberColumn, type PlaneSink, writeColumn } from "../wire/mod.ts";
import type { MemoryDelta } from "./event.ts";

/** The columns of one chunk's memory deltas after the other. */
export class MemoryColumns {
  readonly #page = new NumberColumn();
  readonly #offset = new NumberColumn();
  readonly #length = new NumberColumn();
  readonly #digest = new NumberColumn();
  readonly #bytes: ByteRunColumns;

  /** `table`: where bytes are stored. */
  constructor(table: ByteTable) {
    this.#bytes = new ByteRunColumns(table);
  }

  /** Appends a delta that fits. */
  append({ page, offset, length, digest, bytes }: MemoryDelta): void {
    this.#page.pushNumber(page);
    this.#offset.push(offset);
    this.#length.push(length);
    // Bytes say their digest themselves.
    this.#digest.push(bytes === null ? digest : this.#bytes.appendClaimed(bytes, digest));
  }

  /** Writes all columns. */
  write(sink: PlaneSink): void {
    for (const column of [this.#page, this.#offset, this.#length, this.#digest]) writeColumn(column, sink);
    this.#bytes.write(sink);
  }

  /** Forgets the rows, keeps the buffers. */
  clear(): void {
    for (const column of [this.#page, this.#offset, this.#length, this.#digest, this.#bytes]) column.clear();
  }
}
