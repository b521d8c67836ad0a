// What is kept of GPADLs, as numbers in the rows that the table of objects has of them: a hundred thousand GPADLs are one thing
// for the garbage collector, and a call touches one place in memory. A row holds a GPADL and its newest mapping; what a rule asks of it is made when it asks.
// It judges nothing.

import type { Ref } from "../api/mod.ts";
import type { CallView } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import type { RowShare } from "./object_rows.ts";
import type { ObjectTable } from "./object_table.ts";
import type { Places } from "./places.ts";

/** Columns of a row; `mapping` is where those of a mapping begin. What happened once is an event, 0 for never, and a place. */
export const GPADL = {
  handle: 0,
  channel: 1,
  server: 2,
  byteCount: 3,
  created: 4,
  deletedAt: 6,
  began: 7,
  flags: 9,
  mapping: 10,
} as const;
/** Columns of a mapping. */
export const MAPPING = { mdl: 0, mdlHandle: 1, mapped: 2, unmapped: 4, actor: 6, flags: 7 } as const;
/** How many columns a mapping has. */
export const MAPPING_COLUMNS = MAPPING.flags + 1;

/** Bits of the flags of both. */
export const FLAGS = { isReadOnly: 1, isReported: 2, isThere: 4, hasMdl: 8, isSpilled: 16 } as const;

/** Whether a GPADL is one that rules can still ask for: alive, or outlived by a mapping. */
export function isWanted(cells: Float64Array, row: number): boolean {
  return isKnown(cells, row) && (cells[row + GPADL.deletedAt] === 0 || isMapped(cells, row));
}

/** Whether a row is that of a GPADL whose creation was seen. */
export function isKnown(cells: Float64Array, row: number): boolean {
  return cells[row + GPADL.created] !== 0;
}

/** Whether the newest mapping of a row is there and was not unmapped; one that is spilled is looked up elsewhere. */
export function isMapped(cells: Float64Array, row: number): boolean {
  const at = row + GPADL.mapping;
  if (((cells[row + GPADL.flags] ?? 0) & FLAGS.isSpilled) !== 0) return true;
  return ((cells[at + MAPPING.flags] ?? 0) & FLAGS.isThere) !== 0 && cells[at + MAPPING.unmapped] === 0;
}

/** The rows of one audit, and the places and threads that they name by number. */
export class GpadlRows {
  readonly rows: RowShare;
  readonly #places: Places;
  readonly #actors: string[] = [];
  readonly #actorNumbers = new Map<string, number>();

  constructor(objects: ObjectTable) {
    this.rows = objects.rowsOf("gpadl").share(GPADL.mapping + MAPPING_COLUMNS, isWanted);
    this.#places = objects.places;
  }

  /** Puts down where and when a call was made. */
  putCall(cells: Float64Array, at: number, call: CallView): void {
    cells[at] = call.event;
    cells[at + 1] = this.#places.numberOfCall(call);
  }

  /** Puts down where and when something happened. */
  putMoment(cells: Float64Array, at: number, { event, call, site, side }: Omit<Evidence, "role">): void {
    cells[at] = event;
    cells[at + 1] = this.#places.numberIn(call, site, side);
  }

  /** What happened, or null: never. */
  moment(cells: Float64Array, at: number, role: string): Evidence | null {
    return cells[at] === 0 ? null : this.momentOr(cells, at, role);
  }

  /** What happened. */
  momentOr(cells: Float64Array, at: number, role: string): Evidence {
    const { call, site, side } = this.#places.at(cells[at + 1] ?? 0);
    return { event: cells[at] ?? 0, role, site, call, side };
  }

  /** The number of a thread. */
  actorNumber(name: string): number {
    const known = this.#actorNumbers.get(name);
    if (known !== undefined) return known;
    const number = this.#actors.push(name) - 1;
    this.#actorNumbers.set(name, number);
    return number;
  }

  /** Puts a mapping's columns down. */
  putMapping(cells: Float64Array, at: number, mapping: Mapping): void {
    const { mdl, mapped, unmapped, actor, isReadOnly, isReported } = mapping;
    cells[at + MAPPING.mdl] = mdl === null ? 0 : mdl.number;
    cells[at + MAPPING.mdlHandle] = mdl === null ? 0 : mdl.handle;
    this.putMoment(cells, at + MAPPING.mapped, mapped);
    if (unmapped === null) cells[at + MAPPING.unmapped] = 0;
    else this.putMoment(cells, at + MAPPING.unmapped, unmapped);
    cells[at + MAPPING.actor] = this.actorNumber(actor);
    cells[at + MAPPING.flags] = FLAGS.isThere | (mdl === null ? 0 : FLAGS.hasMdl) |
      (isReadOnly ? FLAGS.isReadOnly : 0) |
      (isReported ? FLAGS.isReported : 0);
  }

  /** A mapping whose columns begin here. */
  mappingAt(cells: Float64Array, at: number): Omit<Mapping, "gpadl"> {
    const flags = cells[at + MAPPING.flags] ?? 0;
    const mdl: Ref = { kind: "mdl", number: cells[at + MAPPING.mdl] ?? 0, handle: cells[at + MAPPING.mdlHandle] ?? 0 };
    return {
      mdl: (flags & FLAGS.hasMdl) === 0 ? null : mdl,
      mapped: this.momentOr(cells, at + MAPPING.mapped, "mapped"),
      actor: this.#actors[cells[at + MAPPING.actor] ?? 0] ?? "",
      isReadOnly: (flags & FLAGS.isReadOnly) !== 0,
      unmapped: this.moment(cells, at + MAPPING.unmapped, "unmapped"),
      isReported: (flags & FLAGS.isReported) !== 0,
    };
  }
}

/** A mapping at the server, from its Map on. */
export interface Mapping {
  readonly gpadl: GpadlRecord;
  readonly mdl: Ref | null;
  readonly mapped: Evidence;
  /** The thread that mapped it, by name. */
  readonly actor: string;
  readonly isReadOnly: boolean;
  unmapped: Evidence | null;
  /** A finding says already that it leaked. */
  isReported: boolean;
}

/** A delete that began. */
export interface Deletion {
  readonly began: Evidence;
  /** The mapping that it had to wait for, null: none; of one that is over, null too. */
  readonly waitsFor: Mapping | null;
}

/** The mappings of a GPADL that has several, or whose delete waits for one. */
export interface Spilled {
  /** Those that were not unmapped, oldest first. */
  readonly live: Mapping[];
  newest: Mapping;
  waitsFor: Mapping | null;
}

/** One GPADL, as its row has it: a look at it, not to be kept. */
export class GpadlRecord {
  readonly number: number;
  readonly #all: GpadlRows;
  readonly #spilled: ReadonlyMap<number, Spilled>;

  constructor(number: number, all: GpadlRows, spilled: ReadonlyMap<number, Spilled>) {
    this.number = number;
    this.#all = all;
    this.#spilled = spilled;
  }

  get ref(): Ref {
    return { kind: "gpadl", number: this.number, handle: this.#at(GPADL.handle) };
  }

  /** The client channel's number, 0: not known. */
  get channel(): number {
    return this.#at(GPADL.channel);
  }

  /** The server channel's number at its creation, 0: not known. */
  get server(): number {
    return this.#at(GPADL.server);
  }

  get byteCount(): number {
    return this.#at(GPADL.byteCount);
  }

  get isReadOnly(): boolean {
    return (this.#at(GPADL.flags) & FLAGS.isReadOnly) !== 0;
  }

  get created(): Evidence {
    const { cells } = this.#all.rows;
    return this.#all.momentOr(cells, this.#row() + GPADL.created, "created");
  }

  /** The event of its creation. */
  get createdAt(): number {
    return this.#at(GPADL.created);
  }

  /** The event at which its delete returned, 0: not yet. */
  get deletedAt(): number {
    return this.#at(GPADL.deletedAt);
  }

  /** Whether its delete was let in. */
  get isDying(): boolean {
    return this.#at(GPADL.began) !== 0;
  }

  get deletion(): Deletion | null {
    const { cells } = this.#all.rows;
    const began = this.#all.moment(cells, this.#row() + GPADL.began, "blocked");
    return began === null ? null : { began, waitsFor: this.waitsFor };
  }

  /** The mapping that its delete had to wait for, null: none. */
  get waitsFor(): Mapping | null {
    return this.#spilledHere()?.waitsFor ?? null;
  }

  /** Whether it has a mapping that was not unmapped. */
  get isMapped(): boolean {
    const spilled = this.#spilledHere();
    return spilled !== undefined ? spilled.live.length > 0 : isMapped(this.#all.rows.cells, this.#row());
  }

  /** The oldest live mapping. */
  get mapping(): Mapping | null {
    const spilled = this.#spilledHere();
    if (spilled !== undefined) return spilled.live[0] ?? null;
    return isMapped(this.#all.rows.cells, this.#row()) ? new NewestMapping(this, this.#all) : null;
  }

  /** The MDL of the newest mapping, null: it has none. */
  get mappedMdl(): Ref | null {
    if ((this.#at(GPADL.mapping + MAPPING.flags) & FLAGS.hasMdl) === 0) return null;
    const number = this.#at(GPADL.mapping + MAPPING.mdl);
    return { kind: "mdl", number, handle: this.#at(GPADL.mapping + MAPPING.mdlHandle) };
  }

  /** All live ones, oldest first. */
  get mappings(): readonly Mapping[] {
    const spilled = this.#spilledHere();
    if (spilled !== undefined) return [...spilled.live];
    const { mapping } = this;
    return mapping === null ? [] : [mapping];
  }

  /** The newest mapping, live or not. */
  get lastMapping(): Mapping | null {
    const spilled = this.#spilledHere();
    if (spilled !== undefined) return spilled.newest;
    const isThere = (this.#at(GPADL.mapping + MAPPING.flags) & FLAGS.isThere) !== 0;
    return isThere ? new NewestMapping(this, this.#all) : null;
  }

  /** Whether its mappings are kept elsewhere. */
  get isSpilled(): boolean {
    return (this.#at(GPADL.flags) & FLAGS.isSpilled) !== 0;
  }

  get isReported(): boolean {
    return (this.#at(GPADL.flags) & FLAGS.isReported) !== 0;
  }

  /** A finding says that it leaked. */
  set isReported(isReported: boolean) {
    setFlag(this.#all.rows.cells, this.#row() + GPADL.flags, isReported);
  }

  #spilledHere(): Spilled | undefined {
    return this.isSpilled ? this.#spilled.get(this.number) : undefined;
  }

  #row(): number {
    return this.#all.rows.find(this.number);
  }

  #at(column: number): number {
    return this.#all.rows.cells[this.#row() + column] ?? 0;
  }
}

/** The newest mapping of a GPADL, as its row has it. */
class NewestMapping implements Mapping {
  readonly gpadl: GpadlRecord;
  readonly #all: GpadlRows;

  constructor(gpadl: GpadlRecord, all: GpadlRows) {
    this.gpadl = gpadl;
    this.#all = all;
  }

  get mdl(): Ref | null {
    return this.#whole().mdl;
  }

  get mapped(): Evidence {
    return this.#whole().mapped;
  }

  get actor(): string {
    return this.#whole().actor;
  }

  get isReadOnly(): boolean {
    return this.#whole().isReadOnly;
  }

  get unmapped(): Evidence | null {
    return this.#whole().unmapped;
  }

  get isReported(): boolean {
    return this.#whole().isReported;
  }

  set isReported(isReported: boolean) {
    setFlag(this.#all.rows.cells, this.#start() + MAPPING.flags, isReported);
  }

  #whole(): Omit<Mapping, "gpadl"> {
    return this.#all.mappingAt(this.#all.rows.cells, this.#start());
  }

  #start(): number {
    return this.#all.rows.find(this.gpadl.number) + GPADL.mapping;
  }
}

function setFlag(cells: Float64Array, at: number, isReported: boolean): void {
  const flags = cells[at] ?? 0;
  cells[at] = isReported ? flags | FLAGS.isReported : flags & ~FLAGS.isReported;
}
