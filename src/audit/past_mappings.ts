// Mappings that are over and that another of the same GPADL came after: their MDLs may be used again long after, and then
// the story wants to be told. Only the newest are kept, as numbers. It judges nothing.

import { type GpadlRecord, type GpadlRows, type Mapping, MAPPING_COLUMNS } from "./gpadl_rows.ts";
import { NewestRows } from "./newest_rows.ts";

/** The newest ones, by the number of their MDL. */
export class PastMappings {
  readonly #all: GpadlRows;
  readonly #rows = new NewestRows(MAPPING_COLUMNS);

  constructor(all: GpadlRows) {
    this.#all = all;
  }

  /** Keeps a mapping; one without an MDL nobody can ask for. */
  bury(mapping: Mapping): void {
    if (mapping.mdl === null) return;
    const row = this.#rows.row(mapping.mdl.number);
    this.#all.putMapping(this.#rows.cells, row, mapping);
  }

  /** The mapping of a GPADL that this MDL was. */
  find(mdl: number, gpadl: GpadlRecord): Mapping | undefined {
    const row = this.#rows.find(mdl);
    return row < 0 ? undefined : { gpadl, ...this.#all.mappingAt(this.#rows.cells, row) };
  }
}
