// Dead GPADLs and mappings, kept as numbers: a handle may be used again long after its end, and then the story wants to be
// told. Only the newest are kept. It judges nothing.

import type { Ref } from "../api/mod.ts";
import type { Evidence } from "./finding.ts";
import type { GpadlRecord, Mapping } from "./gpadl_states.ts";
import { NewestRows } from "./newest_rows.ts";
import { Places } from "./places.ts";

/** Columns of what happened once: the event, 0 for never, and the place. */
const MOMENT_COLUMNS = 2;
/** Columns of a mapping: GPADL, MDL, flags, mapped, unmapped. */
const MAPPING = { gpadl: 0, mdl: 1, mdlHandle: 2, flags: 3, mapped: 4, unmapped: 6 } as const;
const MAPPING_COLUMNS = MAPPING.unmapped + MOMENT_COLUMNS;
/** Columns of a GPADL; its last mapping stands behind. */
const GPADL = { handle: 0, channel: 1, server: 2, byteCount: 3, flags: 4, deletedAt: 5, created: 6, began: 8 } as const;
const LAST_MAPPING = GPADL.began + MOMENT_COLUMNS;

/** Bits of `flags`. */
const FLAGS = { isReadOnly: 1, isReported: 2, hasMapping: 4, hasMdl: 8, hasWaited: 16 } as const;

/** The newest dead. */
export class DeadGpadls {
  readonly #gpadls = new NewestRows(LAST_MAPPING + MAPPING_COLUMNS);
  /** Mappings that ended, by the number of their MDL. */
  readonly #mappings = new NewestRows(MAPPING_COLUMNS);
  readonly #places = new Places();

  /** Keeps a GPADL that no mapping outlives. */
  bury(gpadl: GpadlRecord): void {
    const { ref, channel, server, byteCount, deletedAt, created, deletion, lastMapping } = gpadl;
    const rows = this.#gpadls;
    const row = rows.row(ref.number);
    const hasWaited = deletion !== null && deletion.waitsFor !== null && deletion.waitsFor === lastMapping;
    rows.put(row, GPADL.handle, ref.handle);
    rows.put(row, GPADL.channel, channel);
    rows.put(row, GPADL.server, server);
    rows.put(row, GPADL.byteCount, byteCount);
    rows.put(row, GPADL.deletedAt, deletedAt);
    rows.put(
      row,
      GPADL.flags,
      flagsOf(gpadl) | (lastMapping === null ? 0 : FLAGS.hasMapping) | (hasWaited ? FLAGS.hasWaited : 0),
    );
    this.#putMoment(rows, row + GPADL.created, created);
    this.#putMoment(rows, row + GPADL.began, deletion === null ? null : deletion.began);
    if (lastMapping !== null) this.#putMapping(rows, row + LAST_MAPPING, lastMapping);
  }

  /** Keeps a mapping that ended. */
  buryMapping(mapping: Mapping, { number }: Ref): void {
    this.#putMapping(this.#mappings, this.#mappings.row(number), mapping);
  }

  /** A dead GPADL as it was. */
  find(number: number): GpadlRecord | undefined {
    const rows = this.#gpadls;
    const row = rows.find(number);
    if (row < 0) return undefined;
    const flags = rows.at(row, GPADL.flags);
    const began = this.#moment(rows, row + GPADL.began, "blocked");
    const gpadl: GpadlRecord = {
      ref: { kind: "gpadl", number, handle: rows.at(row, GPADL.handle) },
      channel: rows.at(row, GPADL.channel),
      server: rows.at(row, GPADL.server),
      isReadOnly: (flags & FLAGS.isReadOnly) !== 0,
      created: this.#momentOr(rows, row + GPADL.created, "created"),
      byteCount: rows.at(row, GPADL.byteCount),
      mapping: null,
      lastMapping: null,
      deletion: null,
      deletedAt: rows.at(row, GPADL.deletedAt),
      isReported: (flags & FLAGS.isReported) !== 0,
    };
    if ((flags & FLAGS.hasMapping) !== 0) gpadl.lastMapping = this.#mapping(rows, row + LAST_MAPPING, gpadl);
    const waitsFor = (flags & FLAGS.hasWaited) === 0 ? null : gpadl.lastMapping;
    if (began !== null) gpadl.deletion = { began, waitsFor };
    return gpadl;
  }

  /** The mapping that this MDL was; `find` knows GPADLs, alive or dead. */
  mappingOf(mdl: Ref, find: (number: number) => GpadlRecord | undefined): Mapping | undefined {
    const row = this.#mappings.find(mdl.number);
    const gpadl = row < 0 ? undefined : find(this.#mappings.at(row, MAPPING.gpadl));
    return gpadl === undefined ? undefined : this.#mapping(this.#mappings, row, gpadl);
  }

  #putMapping(rows: NewestRows, row: number, mapping: Mapping): void {
    const { gpadl, mdl, mapped, unmapped } = mapping;
    rows.put(row, MAPPING.gpadl, gpadl.ref.number);
    rows.put(row, MAPPING.mdl, mdl === null ? 0 : mdl.number);
    rows.put(row, MAPPING.mdlHandle, mdl === null ? 0 : mdl.handle);
    rows.put(row, MAPPING.flags, flagsOf(mapping) | (mdl === null ? 0 : FLAGS.hasMdl));
    this.#putMoment(rows, row + MAPPING.mapped, mapped);
    this.#putMoment(rows, row + MAPPING.unmapped, unmapped);
  }

  #mapping(rows: NewestRows, row: number, gpadl: GpadlRecord): Mapping {
    const flags = rows.at(row, MAPPING.flags);
    const mdl = { number: rows.at(row, MAPPING.mdl), handle: rows.at(row, MAPPING.mdlHandle) };
    return {
      gpadl,
      mdl: (flags & FLAGS.hasMdl) === 0 ? null : { kind: "mdl", ...mdl },
      mapped: this.#momentOr(rows, row + MAPPING.mapped, "mapped"),
      // Nobody waits for one that is over.
      actor: "",
      isReadOnly: (flags & FLAGS.isReadOnly) !== 0,
      unmapped: this.#moment(rows, row + MAPPING.unmapped, "unmapped"),
      isReported: (flags & FLAGS.isReported) !== 0,
      younger: null,
    };
  }

  #putMoment(rows: NewestRows, row: number, moment: Evidence | null): void {
    rows.put(row, 0, moment === null ? 0 : moment.event);
    rows.put(row, 1, moment === null ? 0 : this.#places.numberOf(moment));
  }

  #moment(rows: NewestRows, row: number, role: string): Evidence | null {
    return rows.at(row, 0) === 0 ? null : this.#momentOr(rows, row, role);
  }

  #momentOr(rows: NewestRows, row: number, role: string): Evidence {
    const { call, site, side } = this.#places.at(rows.at(row, 1));
    return { event: rows.at(row, 0), role, site, call, side };
  }
}

function flagsOf({ isReadOnly, isReported }: Pick<Mapping, "isReadOnly" | "isReported">): number {
  return (isReadOnly ? FLAGS.isReadOnly : 0) | (isReported ? FLAGS.isReported : 0);
}
