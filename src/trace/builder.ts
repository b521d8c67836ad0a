// Fills a chunk's columns from events and hands them out as the parts of a block. One set of buffers, reused from
// chunk to chunk. It must not know files or blocks. An event that does not fit is refused before any column changes;
// appending must not allocate but to grow and to intern a text, a shape or a plan that the chunk has not seen.

import {
  CallColumns,
  type CallPlan,
  type Interning,
  type ObjectKind,
  valuesElements,
  valuesWeight,
} from "../api/mod.ts";
import { ByteTable, isUint64, NumberColumn, pack, type Packable, PlaneSink, writeColumn } from "../wire/mod.ts";
import { CHUNK_EVENTS, countShapes, type EventCounts, MAX_EVENT_BYTES, MAX_EVENT_ELEMENTS } from "./chunk_layout.ts";
import { describePlan } from "./declarations.ts";
import type { TraceEvent } from "./event.ts";
import { MemoryColumns } from "./memory_columns.ts";
import { ObjectCodes } from "./object_codes.ts";
import { RecentShapes, ShapeTables } from "./shapes.ts";
import { memoryTrouble, shapeTrouble } from "./validate.ts";

/** A chunk's content, ready for a block. */
export interface BuiltChunk {
  readonly firstEvent: number;
  readonly events: number;
  /** Event numbers that it covers: its events', and those left out between them. */
  readonly numbers: number;
  readonly firstTimeNs: bigint;
  readonly lastTimeNs: bigint;
  readonly lastWallNs: number;
  readonly counts: EventCounts;
  /** Views that the next chunk overwrites. */
  readonly parts: readonly Uint8Array[];
}

/** Plans whose columns are kept between chunks; a foreign trace brings new plans with every chunk. */
const MAX_KEPT_PLANS = 1024;

/** Ids up to which lanes are found without a look into a map; declared ones are far below. */
const MAX_QUICK_ID = 4096;

/** What a plan's events are appended to. */
interface Lane {
  readonly plan: CallPlan | null;
  readonly columns: CallColumns | null;
  /** Its values take no more than numbers, and intern no text. */
  readonly isNarrow: boolean;
  readonly recent: RecentShapes;
  /** The call's number in the chunk from 1; 0: none of its events is there yet, or it is the lane of no plan. */
  number: number;
}

/** The columns of one chunk after the other. */
export class ChunkBuilder implements Interning {
  readonly #sink = new PlaneSink();
  readonly #texts = new Map<string, number>();
  readonly #shapes = new ShapeTables((text) => this.text(text));
  readonly #objects = new Map<ObjectKind, ObjectCodes>();
  readonly #lanes = new Map<CallPlan, Lane>();
  /** Lanes by their plan's id; plans of a foreign trace may share one. */
  readonly #quick: Lane[] = [];
  readonly #noPlan: Lane = { plan: null, columns: null, isNarrow: false, recent: new RecentShapes(), number: 0 };
  /** The plans of the chunk, in order of their numbers. */
  readonly #plans: CallPlan[] = [];
  readonly #shapeOf = new NumberColumn();
  readonly #cause = new NumberColumn();
  readonly #of = new NumberColumn();
  readonly #time = new NumberColumn();
  readonly #wall = new NumberColumn();
  /** The bytes of values and of memory deltas. */
  readonly bytes = new ByteTable();
  readonly #memory = new MemoryColumns(this.bytes);
  /** How many numbers were left out before an event, by row; nothing where none was. */
  readonly #gaps = new Map<number, number>();
  #leftOut = 0;
  #firstEvent = 0;
  #firstTimeNs = 0n;
  #lastTimeNs = 0n;
  #lastWallNs = 0;
  #weight = 0;

  /** Events appended since the last chunk. */
  get events(): number {
    return this.#shapeOf.length;
  }

  /** Bytes of arrays and texts, which fill some chunks before their events do. */
  get weight(): number {
    return this.#weight - this.bytes.putBytes;
  }

  /**
   * Appends an event that follows the last one. False, and nothing changed: it does not fit its declaration or numbers
   * are out of range (`eventTrouble` says what), or it is above `MAX_EVENT_BYTES`.
   */
  append(event: TraceEvent): boolean {
    const { plan, cause, of, timeNs, wallNs, memory, text } = event;
    const lane = plan === null ? this.#noPlan : this.#laneOf(plan);
    const { columns } = lane;
    const known = lane.recent.find(event);
    // Values are checked as they are appended, unless something else is to be interned before them.
    const isPlain = known >= 0 && lane.isNarrow && cause === 0 && of === 0 && memory === null && text === "";
    const weight = isPlain ? 0 : weightOf(event, { columns, isKnown: known >= 0 });
    if (weight < 0 || !isUint64(timeNs) || !isCount(wallNs)) return false;
    const shape = known >= 0 ? known : this.#internShape(event, lane);
    if (columns !== null && !columns.append(event.ins, event.outs, event.outcome)) return false;
    const row = this.#shapeOf.length;
    if (row === 0) this.#start(event);
    this.#lastTimeNs = timeNs;
    this.#lastWallNs = wallNs;
    this.#shapeOf.push(shape);
    this.#time.pushBigint(timeNs);
    // Mostly 0: what is left out is padded.
    if (wallNs !== 0) pushAt(this.#wall, row, wallNs);
    if (isPlain) return true;
    if (cause !== 0) pushAt(this.#cause, row, event.event - cause);
    if (of !== 0) pushAt(this.#of, row, event.event - of);
    if (memory !== null) this.#memory.append(memory);
    this.#weight += weight;
    return true;
  }

  /** Leaves so many numbers out before the next event; false: the chunk would cover too many. */
  leaveOut(numbers: number): boolean {
    const row = this.events;
    const leftOut = this.#leftOut + numbers;
    if (row === 0 || row + leftOut >= CHUNK_EVENTS.most) return false;
    this.#gaps.set(row, numbers);
    this.#leftOut = leftOut;
    return true;
  }

  /** The text's index in this chunk. */
  text(text: string): number {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    this.#texts.set(text, this.#texts.size);
    this.#weight += text.length + 8;
    return this.#texts.size - 1;
  }

  /** The codes of the objects of a kind. */
  objects(kind: ObjectKind): ObjectCodes {
    const known = this.#objects.get(kind);
    if (known !== undefined) return known;
    const codes = new ObjectCodes(kind);
    this.#objects.set(kind, codes);
    return codes;
  }

  /** What was appended, as parts; the builder starts over. */
  finish(): BuiltChunk {
    const objects = [...this.#objects.values()].filter((codes) => codes.size > 0);
    // Behind the last event nothing is left out yet: the one that was to follow did not come.
    this.#leftOut -= this.#gaps.get(this.events) ?? 0;
    this.#gaps.delete(this.events);
    this.#writeColumns(objects);
    const hasContents = this.bytes.size > 0;
    const head = pack(
      new Map<string, Packable>([
        ["strings", [...this.#texts.keys()].map((text) => text.toWellFormed())],
        ["calls", this.#plans.map(describePlan)],
        ["sites", this.#shapes.siteCount],
        ["shapes", this.#shapes.size],
        ["objects", objects.map(({ kind, size, step }) => [kind, size, step])],
        ...(hasContents ? [["contents", this.bytes.size]] as const : []),
        ...(this.#gaps.size > 0 ? [["events", this.events]] as const : []),
        ["columns", this.#sink.heads.view()],
      ]),
    );
    const built: BuiltChunk = {
      firstEvent: this.#firstEvent,
      events: this.events,
      numbers: this.events + this.#leftOut,
      firstTimeNs: this.#firstTimeNs,
      lastTimeNs: this.#lastTimeNs,
      lastWallNs: this.#lastWallNs,
      counts: countShapes(this.#shapes.uses(this.#shapeOf), this.#plans.map((plan) => plan.name)),
      parts: [head, ...this.#sink.pools.map((pool) => pool.view()), ...(hasContents ? this.bytes.parts() : [])],
    };
    this.#clear();
    return built;
  }

  #start(event: TraceEvent): void {
    this.#firstEvent = event.event;
    this.#firstTimeNs = event.timeNs;
  }

  #laneOf(plan: CallPlan): Lane {
    const quick = this.#quick[plan.id];
    if (quick?.plan === plan) return quick;
    const lane = this.#lanes.get(plan) ?? this.#addLane(plan);
    while (this.#quick.length <= plan.id && plan.id < MAX_QUICK_ID) this.#quick.push(this.#noPlan);
    if (plan.id < MAX_QUICK_ID) this.#quick[plan.id] = lane;
    return lane;
  }

  #addLane(plan: CallPlan): Lane {
    if (this.#lanes.size >= MAX_KEPT_PLANS) this.#forgetLanes();
    const columns = new CallColumns(plan, this);
    const lane = { plan, columns, isNarrow: !columns.isWide, recent: new RecentShapes(), number: 0 };
    this.#lanes.set(plan, lane);
    return lane;
  }

  /** Forgets the plans of which the chunk has no event. */
  #forgetLanes(): void {
    this.#quick.length = 0;
    for (const [plan, lane] of this.#lanes) if (lane.number === 0) this.#lanes.delete(plan);
  }

  #internShape(event: TraceEvent, lane: Lane): number {
    if (lane.number === 0 && event.plan !== null) lane.number = this.#plans.push(event.plan);
    const index = this.#shapes.intern(event, lane.number);
    lane.recent.add(event, index);
    return index;
  }

  #writeColumns(objects: readonly ObjectCodes[]): void {
    this.#shapes.write(this.#sink);
    for (const codes of objects) codes.write(this.#sink);
    this.bytes.write(this.#sink);
    for (const column of [this.#cause, this.#of, this.#wall]) column.padTo(this.events);
    for (const column of this.#eventColumns()) writeColumn(column, this.#sink);
    if (this.#gaps.size > 0) writeColumn(this.#gapColumn(), this.#sink);
    this.#memory.write(this.#sink);
    for (const plan of this.#plans) this.#lanes.get(plan)?.columns?.write(this.#sink);
  }

  #gapColumn(): NumberColumn {
    const column = new NumberColumn();
    for (const [row, numbers] of this.#gaps) pushAt(column, row, numbers);
    column.padTo(this.events);
    return column;
  }

  #eventColumns(): readonly NumberColumn[] {
    return [this.#shapeOf, this.#cause, this.#of, this.#time, this.#wall];
  }

  #clear(): void {
    this.#sink.clear();
    this.#texts.clear();
    this.#shapes.clear();
    for (const codes of this.#objects.values()) codes.clear();
    for (const lane of [this.#noPlan, ...this.#lanes.values()]) {
      lane.recent.clear();
      lane.columns?.clear();
      lane.number = 0;
    }
    this.#plans.length = 0;
    for (const column of this.#eventColumns()) column.clear();
    this.#gaps.clear();
    this.#leftOut = 0;
    this.#memory.clear();
    this.bytes.clear();
    this.#weight = 0;
  }
}

function pushAt(column: NumberColumn, row: number, value: number): void {
  column.padTo(row);
  column.pushNumber(value);
}

function isEarlier(cause: number, event: number): boolean {
  return cause === 0 || (Number.isSafeInteger(cause) && cause > 0 && cause < event);
}

function isCount(value: number): boolean {
  return value === 0 || (Number.isSafeInteger(value) && value > 0);
}

/** About how many bytes stand in what can be long; -1: the event does not fit, its times aside, or is too long. */
function weightOf(
  event: TraceEvent,
  { columns, isKnown }: { readonly columns: CallColumns | null; readonly isKnown: boolean },
): number {
  const { event: number, ins, outs, outcome, cause, of, memory, text } = event;
  const isWide = columns !== null && columns.isWide;
  const fits = (isKnown || shapeTrouble(event) === null) && isEarlier(cause, number) && isEarlier(of, number) &&
    (memory === null || memoryTrouble(memory) === null) &&
    (columns === null ? fitsNoPlan(event) : (isKnown && !isWide) || columns.accepts(ins, outs, outcome));
  if (!fits) return -1;
  const valued = isWide ? valuesWeight(ins, outs, outcome) : 0;
  const weight = valued + (memory?.bytes?.length ?? 0);
  // An element weighs 8 at least: most events need no count.
  const hasMany = valued > 8 * MAX_EVENT_ELEMENTS && valuesElements(ins, outs, outcome) > MAX_EVENT_ELEMENTS;
  return weight + 3 * text.length <= MAX_EVENT_BYTES && !hasMany ? weight : -1;
}

function fitsNoPlan({ ins, outs, outcome }: TraceEvent): boolean {
  return ins.length === 0 && outs.length === 0 && outcome?.form !== "value";
}
