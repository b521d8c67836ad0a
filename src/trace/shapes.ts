// Shapes: what repeats from event to event, each once a chunk. Looking one up compares an event with the shapes that
// its call had lately; only what is new is interned by its texts and numbers. It must not know columns of values.

import { NumberColumn, type PlaneSink, TupleTable, writeColumn } from "../wire/mod.ts";
import { OUTCOME_FORMS, PARTITIONS, SHAPE, SHAPE_MEMBERS, type ShapeUse, SITE_MEMBERS } from "./chunk_layout.ts";
import { EVENT_KINDS, LEVELS, type MemoryDelta, type Site, type TraceEvent } from "./event.ts";

const KIND_NUMBERS = new Map<string, number>(EVENT_KINDS.map((kind, index) => [kind, index]));
const LEVEL_NUMBERS = new Map<string, number>(LEVELS.map((level, index) => [level, index]));
const FORM_NUMBERS = new Map<string, number>(OUTCOME_FORMS.map((form, index) => [form, index + 1]));
const PARTITION_NUMBERS = new Map<string, number>(PARTITIONS.map((partition, index) => [partition, index]));
/** Shapes of a call that are compared before one is looked up by its texts. */
const MAX_RECENT = 8;

/** The shapes that events of one call had lately. */
export class RecentShapes {
  readonly #shapes: RecentShape[] = [];
  #next = 0;
  /** The shape that was found last: most calls have one. */
  #last: RecentShape | null = null;

  /** The index of an event's shape, -1: none of these. */
  find(event: TraceEvent): number {
    const last = this.#last;
    return last !== null && isShapeOf(last, event) ? last.index : this.#search(event);
  }

  #search(event: TraceEvent): number {
    for (const shape of this.#shapes) {
      if (!isShapeOf(shape, event)) continue;
      this.#last = shape;
      return shape.index;
    }
    return -1;
  }

  /** Keeps a shape in place of the oldest. */
  add(event: TraceEvent, index: number): void {
    const { kind, side, actor, level, site, outcome, ins, outs, memory, text } = event;
    const shape = {
      index,
      kind,
      side,
      actor,
      level,
      site,
      outcome,
      ins: ins.length,
      outs: outs.length,
      memory: memoryNumber(memory),
      text,
    };
    this.#shapes[this.#next] = shape;
    this.#last = shape;
    this.#next = (this.#next + 1) % MAX_RECENT;
  }

  /** Forgets all. */
  clear(): void {
    this.#shapes.length = 0;
    this.#next = 0;
    this.#last = null;
  }
}

interface RecentShape extends Pick<TraceEvent, "kind" | "side" | "actor" | "level" | "site" | "outcome" | "text"> {
  readonly index: number;
  readonly ins: number;
  readonly outs: number;
  readonly memory: number;
}

function isShapeOf(shape: RecentShape, event: TraceEvent): boolean {
  return shape.kind === event.kind && shape.actor === event.actor && shape.side === event.side &&
    shape.site === event.site && shape.ins === event.ins.length && shape.outs === event.outs.length &&
    shape.level === event.level && shape.text === event.text && shape.memory === memoryNumber(event.memory) &&
    haveOneForm(shape.outcome, event.outcome);
}

function haveOneForm(left: TraceEvent["outcome"], right: TraceEvent["outcome"]): boolean {
  if (left === right) return true;
  if (left === null || right === null || left.form !== right.form) return false;
  if (left.form === "status") return right.form === "status" && left.status === right.status;
  return left.form !== "refused" || (right.form === "refused" && left.reason === right.reason);
}

function memoryNumber(memory: MemoryDelta | null): number {
  if (memory === null) return 0;
  return 1 + 2 * (PARTITION_NUMBERS.get(memory.partition) ?? 0) + (memory.bytes === null ? 0 : 1);
}

/** The shapes and sites of one chunk after the other. */
export class ShapeTables {
  readonly #textNumber: (text: string) => number;
  readonly #shapes = new TupleTable(SHAPE_MEMBERS);
  readonly #sites = new TupleTable(SITE_MEMBERS);
  readonly #shape = new Uint32Array(SHAPE_MEMBERS);
  readonly #site = new Uint32Array(SITE_MEMBERS);
  readonly #member = new NumberColumn();

  constructor(textNumber: (text: string) => number) {
    this.#textNumber = textNumber;
  }

  /** How many shapes there are. */
  get size(): number {
    return this.#shapes.size;
  }

  /** How many sites there are. */
  get siteCount(): number {
    return this.#sites.size;
  }

  /** The index of an event's shape; `call` is its call's number in the chunk, 0: none. */
  intern(event: TraceEvent, call: number): number {
    const { outcome } = event;
    const shape = this.#shape;
    shape[SHAPE.kind] = KIND_NUMBERS.get(event.kind) ?? 0;
    shape[SHAPE.call] = call;
    shape[SHAPE.side] = this.#textNumber(event.side);
    shape[SHAPE.actor] = this.#textNumber(event.actor);
    shape[SHAPE.level] = LEVEL_NUMBERS.get(event.level) ?? 0;
    shape[SHAPE.site] = event.site === null ? 0 : this.#internSite(event.site);
    shape[SHAPE.text] = this.#textNumber(event.text);
    shape[SHAPE.outcome] = outcome === null ? 0 : FORM_NUMBERS.get(outcome.form) ?? 0;
    shape[SHAPE.status] = outcome?.form === "status" ? outcome.status : 0;
    shape[SHAPE.reason] = outcome?.form === "refused" ? this.#textNumber(outcome.reason) : 0;
    shape[SHAPE.ins] = event.ins.length;
    shape[SHAPE.outs] = event.outs.length;
    shape[SHAPE.memory] = memoryNumber(event.memory);
    return this.#shapes.intern(shape);
  }

  /** How many events have each shape, of a column of their indexes. */
  uses(shapeOf: NumberColumn): readonly ShapeUse[] {
    const { low, length } = shapeOf.view();
    const events = new Uint32Array(this.size);
    for (let index = 0; index < length; index += 1) events[low[index] ?? 0] = (events[low[index] ?? 0] ?? 0) + 1;
    return Array.from(events, (count, shape) => ({
      kind: this.#shapes.member(shape, SHAPE.kind),
      call: this.#shapes.member(shape, SHAPE.call),
      events: count,
    }));
  }

  /** Writes the columns of sites, then those of shapes. */
  write(sink: PlaneSink): void {
    for (const table of [this.#sites, this.#shapes]) {
      for (let member = 0; member < table.arity; member += 1) {
        this.#member.clear();
        table.copyMember(member, this.#member);
        writeColumn(this.#member, sink);
      }
    }
  }

  /** Forgets all, keeps the buffers. */
  clear(): void {
    this.#shapes.clear();
    this.#sites.clear();
  }

  #internSite(site: Site): number {
    this.#site[0] = this.#textNumber(site.file);
    this.#site[1] = site.line;
    this.#site[2] = site.column;
    this.#site[3] = this.#textNumber(site.function);
    return 1 + this.#sites.intern(this.#site);
  }
}
