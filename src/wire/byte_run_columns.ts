// Columns of bytes that a table stores: for each the content, where it starts in it, and how much of it follows; mostly
// all of a content, which takes no more than its number. It must not know what the bytes are for.

import type { ByteTable } from "./byte_table.ts";
import { NumberColumn } from "./number_column.ts";
import { writeColumn } from "./column_writer.ts";
import type { PlaneSink } from "./planes.ts";

/** Runs of contents, appended one by one; the buffers are kept between uses. */
export class ByteRunColumns {
  readonly #table: ByteTable;
  readonly #columns = [new NumberColumn(), new NumberColumn(), new NumberColumn()] as const;

  constructor(table: ByteTable) {
    this.#table = table;
  }

  /** Appends bytes. */
  append(bytes: Uint8Array): void {
    this.#table.put(bytes);
    this.#push();
  }

  /** Appends bytes of which the crc32 is claimed; in what bits it differs from the true one, 0 for none. */
  appendClaimed(bytes: Uint8Array, claimed: number): number {
    this.#table.put(bytes, claimed);
    this.#push();
    return claimed ^ this.#table.digest;
  }

  /** Writes all columns. */
  write(sink: PlaneSink): void {
    for (const column of this.#columns) writeColumn(column, sink);
  }

  /** Forgets the runs. */
  clear(): void {
    for (const column of this.#columns) column.clear();
  }

  #push(): void {
    const [content, start, rest] = this.#columns;
    content.push(this.#table.content);
    start.push(this.#table.start);
    rest.push(this.#table.rest);
  }
}
