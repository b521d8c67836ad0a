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
  isKnown,
  isMapped,
  isWanted,
  MAPPING,
  type Mapping,
  type Spilled,
} from "./gpadl_rows.ts";
import { evidenceOf } from "./join.ts";
import { NumberMap } from "./number_map.ts";
import type { RowShare } from "./object_rows.ts";
import type { ObjectTable } from "./object_table.ts";
import { PastMappings } from "./past_mappings.ts";

export { type Deletion, GpadlRecord, type Mapping } from "./gpadl_rows.ts";

/** The one flag that there is. */
export const { READ_ONLY } = SYMBOLS.gpadlFlags;

/** Columns of an MDL that a map made: the GPADL, and how the mapping is; of other MDLs both are 0. */
const MDL = { gpadl: 0, mapping: 1 } as const;
const OPEN = 1;
const OVER = 2;

function isOpen(cells: Float64Array, row: number): boolean {
  return cells[row + MDL.mapping] === OPEN;
}

/** A channel that is an end of GPADLs which are alive or mapped, and of how many. */
interface End {
  readonly channel: number;
  count: number;
}

/** No channel's. */
const NO_END: End = { channel: -1, count: 0 };

/** All GPADLs. */
export class Gpadls {
  readonly #all: GpadlRows;
  /** By GPADL, where a row has no room for all that is to be known of its mappings. */
  readonly #spilled = new Map<number, Spilled>();
  readonly #mdls: RowShare;
  /** Mappings that are over and that a newer one of their GPADL came after. */
  readonly #past: PastMappings;
  #newest: GpadlRecord | null = null;
  /** Live ones by channel and handle value. */
  readonly #handles = new Map<number, NumberMap<number>>();
  /** How many are alive or mapped, by each channel that is an end of theirs. */
  readonly #ends = new Map<number, End>();
  /** The ends of the newest one that was counted: one after the other is of the same channels. */
  #client: End = NO_END;
  #server: End = NO_END;

  /** What it keeps stands beside what the table of objects keeps of GPADLs and MDLs. */
  constructor(objects: ObjectTable) {
    this.#all = new GpadlRows(objects);
    this.#mdls = objects.rowsOf("mdl").share(2, isOpen);
    this.#past = new PastMappings(this.#all);
  }

  /** The record, alive or among the newest dead; undefined where its creation was not seen. */
  find(ref: Ref): GpadlRecord | undefined {
    return this.numbered(ref.number);
  }

  /** The same by number. */
  numbered(number: number): GpadlRecord | undefined {
    return this.#rowOf(number) < 0 ? undefined : this.#record(number);
  }

  /** Whether a map, on this channel and with flags that exist, finds what it should: a live GPADL of that channel, not mapped. */
  isMappable(number: number, { channel, flags }: { readonly channel: number; readonly flags: number }): boolean {
    const row = this.#rowOf(number);
    const { cells } = this.#all.rows;
    if (row < 0 || cells[row + GPADL.began] !== 0 || isMapped(cells, row)) return false;
    const isRefused = ((cells[row + GPADL.flags] ?? 0) & FLAGS.isReadOnly) !== 0 && (flags & READ_ONLY) === 0;
    return !isRefused && isEnd(cells[row + GPADL.server], channel);
  }

  /** The same of an unmap: a mapped GPADL of that channel. */
  isUnmappable(number: number, channel: number): boolean {
    const row = this.#rowOf(number);
    const { cells } = this.#all.rows;
    const isSpilled = row >= 0 && ((cells[row + GPADL.flags] ?? 0) & FLAGS.isSpilled) !== 0;
    return row >= 0 && !isSpilled && isMapped(cells, row) && isEnd(cells[row + GPADL.server], channel);
  }

  /** The same of a delete: a live GPADL of that channel, which nobody deletes. */
  isDeletable(number: number, channel: number): boolean {
    const row = this.#rowOf(number);
    const { cells } = this.#all.rows;
    return row >= 0 && cells[row + GPADL.began] === 0 && isEnd(cells[row + GPADL.channel], channel);
  }

  /** The row of one that is known, -1: it is not. */
  #rowOf(number: number): number {
    const row = number < 0 ? -1 : this.#all.rows.find(number);
    return row >= 0 && isKnown(this.#all.rows.cells, row) ? row : -1;
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
    const isMapping = row >= 0 && this.#mdls.cells[row + MDL.mapping] !== 0;
    const gpadl = isMapping ? this.numbered(this.#mdls.cells[row + MDL.gpadl] ?? 0) : undefined;
    if (gpadl === undefined) return undefined;
    const { lastMapping } = gpadl;
    if (lastMapping !== null && lastMapping.mdl?.number === mdl.number) return lastMapping;
    return gpadl.mappings.find((each) => each.mdl?.number === mdl.number) ?? this.#past.find(mdl.number, gpadl);
  }

  /** Takes a create that succeeded; whether it made one. */
  created(call: CallView, about: { readonly channels: ChannelStates; readonly byteCount: number }): boolean {
    const { at } = call.shape;
    const number = call.madeNumberAt(at.madeGpadl);
    if (number < 0) return false;
    const handle = call.madeHandleAt(at.madeGpadl);
    const channel = Math.max(0, call.channel);
    const isReadOnly = (call.numberAt(at.gpadlFlags) & READ_ONLY) !== 0;
    const known = this.#rowOf(number);
    const isNew = known < 0 || !isWanted(this.#all.rows.cells, known);
    const row = this.#all.rows.add(number);
    const { cells } = this.#all.rows;
    const server = about.channels.numbered(channel)?.peer?.ref.number ?? 0;
    cells[row + GPADL.handle] = handle;
    cells[row + GPADL.channel] = channel;
    cells[row + GPADL.server] = server;
    cells[row + GPADL.byteCount] = about.byteCount;
    this.#all.putCall(cells, row + GPADL.created, call);
    cells[row + GPADL.deletedAt] = 0;
    cells[row + GPADL.began] = 0;
    cells[row + GPADL.flags] = isReadOnly ? FLAGS.isReadOnly : 0;
    cells[row + GPADL.mapping + MAPPING.flags] = 0;
    const handles = this.#handles.get(channel) ?? new NumberMap<number>();
    if (handles.size === 0) this.#handles.set(channel, handles);
    handles.set(handle, number);
    if (isNew) this.#count(channel, server, 1);
    return true;
  }

  /** Takes a map that succeeded. */
  mapped(call: CallView, gpadl: GpadlRecord): void {
    const { number } = gpadl;
    const row = this.#all.rows.find(number);
    const { cells } = this.#all.rows;
    if (isMapped(cells, row)) return this.#mappedAgain(call, gpadl);
    const { at } = call.shape;
    const mdl = call.madeNumberAt(at.madeMdl);
    if (mdl >= 0) this.#noteMdl(mdl, number);
    const isReadOnly = (call.numberAt(at.gpadlFlags) & READ_ONLY) !== 0;
    const first = row + GPADL.mapping;
    if (((cells[first + MAPPING.flags] ?? 0) & FLAGS.isThere) !== 0 && gpadl.lastMapping !== null) {
      this.#past.bury(gpadl.lastMapping);
    }
    cells[first + MAPPING.mdl] = Math.max(0, mdl);
    cells[first + MAPPING.mdlHandle] = call.madeHandleAt(at.madeMdl);
    this.#all.putCall(cells, first + MAPPING.mapped, call);
    cells[first + MAPPING.unmapped] = 0;
    cells[first + MAPPING.actor] = this.#all.actorNumber(call.actor);
    cells[first + MAPPING.flags] = FLAGS.isThere | (isReadOnly ? FLAGS.isReadOnly : 0) | (mdl < 0 ? 0 : FLAGS.hasMdl);
  }

  /** A second mapping beside the first: a row has no room for it. */
  #mappedAgain(call: CallView, gpadl: GpadlRecord): void {
    const mdl = call.madeAt(call.shape.at.madeMdl);
    if (mdl !== null) this.#noteMdl(mdl.number, gpadl.number);
    const isReadOnly = (call.numberAt(call.shape.at.gpadlFlags) & READ_ONLY) !== 0;
    const { actor } = call;
    const about = { gpadl, mdl, mapped: evidenceOf(call, "mapped"), actor, isReadOnly };
    const mapping = { ...about, unmapped: null, isReported: false };
    const spilled = this.#spill(gpadl);
    if (spilled === null) return;
    if (spilled.newest.unmapped !== null) this.#past.bury(spilled.newest);
    spilled.newest = mapping;
    spilled.live.push(mapping);
  }

  /** Takes an unmap that succeeded; where there are many mappings the oldest goes. Returns its MDL; null: it had none, or there was no mapping. */
  unmapped(call: CallView, gpadl: GpadlRecord): Ref | null {
    if (!gpadl.isMapped) return null;
    const { number } = gpadl;
    const spilled = gpadl.isSpilled ? this.#spilled.get(number) : undefined;
    const mdl = spilled === undefined ? gpadl.mappedMdl : spilled.live[0]?.mdl ?? null;
    if (mdl !== null) {
      const row = this.#mdls.find(mdl.number);
      if (row >= 0) this.#mdls.cells[row + MDL.mapping] = OVER;
      this.#mdls.settle(mdl.number);
    }
    if (spilled === undefined) {
      const { cells } = this.#all.rows;
      this.#all.putCall(cells, this.#all.rows.find(number) + GPADL.mapping + MAPPING.unmapped, call);
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
    this.#all.putCall(cells, this.#all.rows.find(gpadl.number) + GPADL.began, call);
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
      this.#count(gpadl.channel, gpadl.server, -1);
      this.#all.rows.cells[this.#all.rows.find(gpadl.number) + GPADL.server] = server.number;
      this.#count(gpadl.channel, gpadl.server, 1);
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
  #count(channel: number, server: number, more: 1 | -1): void {
    if (this.#client.channel !== channel) this.#client = this.#endOf(channel);
    this.#client.count += more;
    if (this.#client.count === 0) this.#forget(this.#client);
    if (server === channel) return;
    if (this.#server.channel !== server) this.#server = this.#endOf(server);
    this.#server.count += more;
    if (this.#server.count === 0) this.#forget(this.#server);
  }

  #endOf(channel: number): End {
    const known = this.#ends.get(channel);
    if (known !== undefined) return known;
    const made = { channel, count: 0 };
    this.#ends.set(channel, made);
    return made;
  }

  /** An end that none is at. */
  #forget(end: End): void {
    this.#ends.delete(end.channel);
    if (this.#client === end) this.#client = NO_END;
    if (this.#server === end) this.#server = NO_END;
  }

  #noteMdl(mdl: number, gpadl: number): void {
    const row = this.#mdls.add(mdl);
    this.#mdls.cells[row + MDL.gpadl] = gpadl;
    this.#mdls.cells[row + MDL.mapping] = OPEN;
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
    const spilled = gpadl.isSpilled ? this.#spilled.get(number) : undefined;
    if (spilled !== undefined) {
      const { cells } = this.#all.rows;
      const row = this.#all.rows.find(number);
      this.#spilled.delete(number);
      cells[row + GPADL.flags] = (cells[row + GPADL.flags] ?? 0) & ~FLAGS.isSpilled;
      this.#all.putMapping(cells, row + GPADL.mapping, spilled.newest);
    }
    this.#all.rows.settle(number);
    this.#count(gpadl.channel, gpadl.server, -1);
  }
}

const NONE: readonly GpadlRecord[] = [];
const NO_MAPPINGS: readonly Mapping[] = [];

/** Whether a channel is an end of a GPADL; one that is not known may be any. */
function isEnd(own: number | undefined, channel: number): boolean {
  return own === 0 || own === channel;
}

/** What happened to a GPADL, in the order of the trace; a delete that waits is `blocked`. */
export function historyOf({ created, lastMapping, deletion, deletedAt }: GpadlRecord): readonly Evidence[] {
  const mapping = lastMapping === null ? [] : [lastMapping.mapped];
  const unmapping = lastMapping?.unmapped == null ? [] : [lastMapping.unmapped];
  const deleted = deletion === null ? [] : [{ ...deletion.began, role: deletedAt > 0 ? "deleted" : "blocked" }];
  return [created, ...mapping, ...unmapping, ...deleted].sort((left, right) => left.event - right.event);
}
