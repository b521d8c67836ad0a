// The automaton of each GPADL (kmcl.md 5.5), folded from calls that succeeded: live, mapped, being deleted, dead.
// It judges nothing. Of the dead only the newest are kept.

import { type Ref, SYMBOLS } from "../api/mod.ts";
import type { ChannelStates } from "./channel_states.ts";
import type { CallView } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import {
  FLAGS,
  GPADL,
  GpadlRecord,
  GpadlRows,
  isMapped,
  isWanted,
  MAPPING,
  type Mapping,
  type Spilled,
} from "./gpadl_rows.ts";
import { evidenceOf } from "./join.ts";
import { NumberMap } from "./number_map.ts";
import { ObjectRows } from "./object_rows.ts";
import { PastMappings } from "./past_mappings.ts";

export { type Deletion, GpadlRecord, type Mapping } from "./gpadl_rows.ts";

/** The one flag that there is. */
export const { READ_ONLY } = SYMBOLS.gpadlFlags;

/** Columns of an MDL that a map made: the GPADL, and whether the mapping is over. */
const MDL = { gpadl: 0, isOver: 1 } as const;

function isOpen(cells: Float64Array, row: number): boolean {
  return cells[row + MDL.isOver] === 0;
}

/** All GPADLs. */
export class Gpadls {
  readonly #all = new GpadlRows();
  /** By GPADL, where a row has no room for all that is to be known of its mappings. */
  readonly #spilled = new Map<number, Spilled>();
  readonly #mdls = new ObjectRows(2, isOpen);
  /** Mappings that are over and that a newer one of their GPADL came after. */
  readonly #past = new PastMappings(this.#all);
  #newest: GpadlRecord | null = null;
  /** Live ones by channel and handle value. */
  readonly #handles = new Map<number, NumberMap<number>>();
  /** How many are alive or mapped, by each channel that is an end of theirs. */
  readonly #ends = new NumberMap<number>();

  /** The record, alive or among the newest dead; undefined where its creation was not seen. */
  find(ref: Ref): GpadlRecord | undefined {
    return this.numbered(ref.number);
  }

  /** The same by number. */
  numbered(number: number): GpadlRecord | undefined {
    return this.#all.rows.find(number) < 0 ? undefined : this.#record(number);
  }

  /** The live one that this handle value names on a channel, by number; the newest where there are two. */
  named(channel: number, handle: number): number | undefined {
    return this.#handles.get(channel)?.get(handle);
  }

  /** Live ones, oldest first. */
  live(): readonly GpadlRecord[] {
    return this.#wanted().filter(({ deletedAt }) => deletedAt === 0)
      .sort((left, right) => left.createdAt - right.createdAt);
  }

  /** Those of them at a channel, which is an end of it. */
  liveAt(channel: number): readonly GpadlRecord[] {
    if (!this.#ends.has(channel)) return NONE;
    return this.live().filter((gpadl) => gpadl.channel === channel || gpadl.server === channel);
  }

  /** Mappings that were not unmapped, oldest first; also of GPADLs that are dead. */
  openMappings(): readonly Mapping[] {
    return this.#wanted().flatMap(({ mappings }) => mappings)
      .sort((left, right) => left.mapped.event - right.mapped.event);
  }

  /** Those of them at a server's channel. */
  openMappingsAt(server: number): readonly Mapping[] {
    if (!this.#ends.has(server)) return NO_MAPPINGS;
    return this.openMappings().filter(({ gpadl }) => gpadl.server === server);
  }

  /** The mapping that this MDL is or was, among the newest. */
  mappingOf(mdl: Ref): Mapping | undefined {
    const row = this.#mdls.find(mdl.number);
    const gpadl = row < 0 ? undefined : this.numbered(this.#mdls.cells[row + MDL.gpadl] ?? 0);
    if (gpadl === undefined) return undefined;
    const { lastMapping } = gpadl;
    if (lastMapping !== null && lastMapping.mdl?.number === mdl.number) return lastMapping;
    return gpadl.mappings.find((each) => each.mdl?.number === mdl.number) ?? this.#past.find(mdl.number, gpadl);
  }

  /** Takes a create that succeeded; whether it made one. */
  created(call: CallView, about: { readonly channels: ChannelStates; readonly byteCount: number }): boolean {
    const { at } = call.shape;
    const ref = call.madeAt(at.madeGpadl);
    if (ref === null) return false;
    const channel = call.objectNumberAt(at.channel);
    const isReadOnly = (call.numberAt(at.gpadlFlags) & READ_ONLY) !== 0;
    const known = this.#all.rows.find(ref.number);
    const isNew = known < 0 || !isWanted(this.#all.rows.cells, known);
    const row = this.#all.rows.add(ref.number);
    const { cells } = this.#all.rows;
    cells[row + GPADL.handle] = ref.handle;
    cells[row + GPADL.channel] = Math.max(0, channel);
    cells[row + GPADL.server] = about.channels.numbered(channel)?.peer?.ref.number ?? 0;
    cells[row + GPADL.byteCount] = about.byteCount;
    this.#putMoment(cells, row + GPADL.created, call);
    cells[row + GPADL.deletedAt] = 0;
    cells[row + GPADL.began] = 0;
    cells[row + GPADL.flags] = isReadOnly ? FLAGS.isReadOnly : 0;
    cells[row + GPADL.mapping + MAPPING.flags] = 0;
    const handles = this.#handles.get(Math.max(0, channel)) ?? new NumberMap<number>();
    if (handles.size === 0) this.#handles.set(Math.max(0, channel), handles);
    handles.set(ref.handle, ref.number);
    if (isNew) this.#count(this.#record(ref.number), 1);
    return true;
  }

  /** Takes a map that succeeded. */
  mapped(call: CallView, gpadl: GpadlRecord): void {
    const { number } = gpadl;
    const { rows } = this.#all;
    const row = rows.find(number);
    const { cells } = rows;
    const mdl = call.madeAt(call.shape.at.madeMdl);
    if (mdl !== null) this.#noteMdl(mdl, number);
    const isReadOnly = (call.numberAt(call.shape.at.gpadlFlags) & READ_ONLY) !== 0;
    if (isMapped(cells, row)) {
      const { actor } = call;
      const about = { gpadl, mdl, mapped: evidenceOf(call, "mapped"), actor, isReadOnly };
      const mapping = { ...about, unmapped: null, isReported: false };
      const spilled = this.#spill(gpadl);
      if (spilled === null) return;
      if (spilled.newest.unmapped !== null) this.#past.bury(spilled.newest);
      spilled.newest = mapping;
      spilled.live.push(mapping);
      return;
    }
    const at = row + GPADL.mapping;
    if (((cells[at + MAPPING.flags] ?? 0) & FLAGS.isThere) !== 0 && gpadl.lastMapping !== null) {
      this.#past.bury(gpadl.lastMapping);
    }
    cells[at + MAPPING.mdl] = mdl === null ? 0 : mdl.number;
    cells[at + MAPPING.mdlHandle] = mdl === null ? 0 : mdl.handle;
    this.#putMoment(cells, at + MAPPING.mapped, call);
    cells[at + MAPPING.unmapped] = 0;
    cells[at + MAPPING.actor] = this.#all.actorNumber(call.actor);
    cells[at + MAPPING.flags] = FLAGS.isThere | (isReadOnly ? FLAGS.isReadOnly : 0) | (mdl === null ? 0 : FLAGS.hasMdl);
  }

  /** Takes an unmap that succeeded; where there are many mappings the oldest goes. Returns its MDL; null: it had none, or there was no mapping. */
  unmapped(call: CallView, gpadl: GpadlRecord): Ref | null {
    if (!gpadl.isMapped) return null;
    const { number } = gpadl;
    const spilled = this.#spilled.get(number);
    const mdl = spilled === undefined ? gpadl.mappedMdl : spilled.live[0]?.mdl ?? null;
    if (mdl !== null) {
      const row = this.#mdls.find(mdl.number);
      if (row >= 0) this.#mdls.cells[row + MDL.isOver] = 1;
      this.#mdls.settle(mdl.number);
    }
    if (spilled === undefined) {
      const { cells } = this.#all.rows;
      this.#putMoment(cells, this.#all.rows.find(number) + GPADL.mapping + MAPPING.unmapped, call);
    } else {
      const oldest = spilled.live.shift();
      if (oldest !== undefined) oldest.unmapped = evidenceOf(call, "unmapped");
      if (oldest !== undefined && oldest !== spilled.newest) this.#past.bury(oldest);
    }
    if (gpadl.deletedAt > 0) this.#settle(gpadl);
    return mdl;
  }

  /** Takes a delete that was let in, or an unload that ends all of them. */
  deleteBegan(call: CallView, gpadl: GpadlRecord): void {
    if (gpadl.isDying) return;
    const { cells } = this.#all.rows;
    this.#putMoment(cells, this.#all.rows.find(gpadl.number) + GPADL.began, call);
    const spilled = gpadl.isMapped ? this.#spill(gpadl) : null;
    if (spilled !== null) spilled.waitsFor = spilled.live[0] ?? null;
  }

  /** Takes a delete that succeeded. */
  deleted(gpadl: GpadlRecord, event: number): void {
    const { number, channel } = gpadl;
    const { cells } = this.#all.rows;
    const row = this.#all.rows.find(number);
    cells[row + GPADL.deletedAt] = event;
    this.#settle(gpadl);
    const handle = cells[row + GPADL.handle] ?? 0;
    const handles = this.#handles.get(channel);
    if (handles === undefined || handles.get(handle) !== number) return;
    handles.delete(handle);
    if (handles.size === 0) this.#handles.delete(channel);
  }

  /** Another server took the place of the one that a client's GPADLs were created for. */
  tookOver({ client, server }: { readonly client: Ref; readonly server: Ref }): void {
    for (const gpadl of this.#wanted()) {
      if (gpadl.channel !== client.number) continue;
      this.#count(gpadl, -1);
      this.#all.rows.cells[this.#all.rows.find(gpadl.number) + GPADL.server] = server.number;
      this.#count(gpadl, 1);
    }
  }

  /** A look at a row is the same as long as it is at that row. */
  #record(number: number): GpadlRecord {
    if (this.#newest?.number === number) return this.#newest;
    this.#newest = new GpadlRecord(number, this.#all, this.#spilled);
    return this.#newest;
  }

  /** Those that are alive or mapped. */
  #wanted(): readonly GpadlRecord[] {
    const { rows } = this.#all;
    return rows.numbers().filter((number) => isWanted(rows.cells, rows.find(number)))
      .map((number) => this.#record(number));
  }

  /** One more or fewer is alive or mapped at the ends of a channel. */
  #count(gpadl: GpadlRecord, more: 1 | -1): void {
    const { channel, server } = gpadl;
    addTo(this.#ends, channel, more);
    if (server !== channel) addTo(this.#ends, server, more);
  }

  #putMoment(cells: Float64Array, at: number, { event, plan, site, side }: CallView): void {
    this.#all.putMoment(cells, at, { event, call: plan.name, site, side });
  }

  #noteMdl({ number }: Ref, gpadl: number): void {
    const row = this.#mdls.add(number);
    this.#mdls.cells[row + MDL.gpadl] = gpadl;
    this.#mdls.cells[row + MDL.isOver] = 0;
  }

  /** Makes things of a GPADL's mappings; null: it never had one. */
  #spill(gpadl: GpadlRecord): Spilled | null {
    const known = this.#spilled.get(gpadl.number);
    if (known !== undefined) return known;
    const { cells } = this.#all.rows;
    const row = this.#all.rows.find(gpadl.number);
    if (gpadl.lastMapping === null) return null;
    const newest = { gpadl, ...this.#all.mappingAt(cells, row + GPADL.mapping) };
    const spilled = { live: newest.unmapped === null ? [newest] : [], newest, waitsFor: null };
    cells[row + GPADL.flags] = (cells[row + GPADL.flags] ?? 0) | FLAGS.isSpilled;
    this.#spilled.set(gpadl.number, spilled);
    return spilled;
  }

  /** A dead GPADL that no mapping outlives any more is numbers again, and may go. */
  #settle(gpadl: GpadlRecord): void {
    if (gpadl.isMapped) return;
    const { number } = gpadl;
    const spilled = this.#spilled.get(number);
    if (spilled !== undefined) {
      const { cells } = this.#all.rows;
      const row = this.#all.rows.find(number);
      this.#spilled.delete(number);
      cells[row + GPADL.flags] = (cells[row + GPADL.flags] ?? 0) & ~FLAGS.isSpilled;
      this.#all.putMapping(cells, row + GPADL.mapping, spilled.newest);
    }
    this.#all.rows.settle(number);
    this.#count(gpadl, -1);
  }
}

const NONE: readonly GpadlRecord[] = [];
const NO_MAPPINGS: readonly Mapping[] = [];

/** Adds to a count; one of 0 is none. */
function addTo(counts: NumberMap<number>, key: number, more: number): void {
  const count = (counts.get(key) ?? 0) + more;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}

/** What happened to a GPADL, in the order of the trace; a delete that waits is `blocked`. */
export function historyOf({ created, lastMapping, deletion, deletedAt }: GpadlRecord): readonly Evidence[] {
  const mapping = lastMapping === null ? [] : [lastMapping.mapped];
  const unmapping = lastMapping?.unmapped == null ? [] : [lastMapping.unmapped];
  const deleted = deletion === null ? [] : [{ ...deletion.began, role: deletedAt > 0 ? "deleted" : "blocked" }];
  return [created, ...mapping, ...unmapping, ...deleted].sort((left, right) => left.event - right.event);
}
