// Reads a chunk: its tables and its columns. What a column or a shape says is checked when it is read. A cursor goes
// through its events, once. It must not know files or blocks.

import { type CallPlan, CallRows, type Interned } from "../api/mod.ts";
import {
  ByteContents,
  type ColumnBuffers,
  Fields,
  type NumberValues,
  PlaneSource,
  readColumn,
  unpack,
  WireError,
} from "../wire/mod.ts";
import { CHUNK_EVENTS, COLUMN_POOLS, type EventCounts, MAX_EVENT_BYTES } from "./chunk_layout.ts";
import { ObjectTables } from "./chunk_objects.ts";
import { ChunkShapes, type EventShape } from "./chunk_shapes.ts";
import { ChunkCursor, type WantedRows, WAY } from "./chunk_cursor.ts";
import { restorePlan } from "./declarations.ts";
import { EventNumbers } from "./event_numbers.ts";
import type { TraceEvent } from "./event.ts";
import { type KindHistory, MARK, MARK_OF } from "./kind_history.ts";
import { MemoryRows } from "./memory_rows.ts";
import type { VisitOptions } from "./visit.ts";

const WORD = 2 ** 32;
const SAFE = 2 ** 53;
const MAX_TABLE_ROWS = 2 ** 22;
/** The largest event may be all text; beside it are declarations and the heads of columns. */
const MAX_HEAD_BYTES = MAX_EVENT_BYTES + 2 ** 21;
/** Texts are most of a head, maps are those of its declarations. */
const HEAD_LIMITS = { values: 2 ** 20, maps: 2 ** 16 };

/** What a chunk's block says of it, and what is known of the events before. */
export interface ChunkFrame {
  readonly firstEvent: number;
  /** Event numbers that it covers: its events', and those left out between them. */
  readonly events: number;
  /** The head's fields, brought up to this version. */
  readonly head: Fields;
  /** The pools behind the head. */
  readonly pools: readonly Uint8Array[];
  readonly history: KindHistory;
  /** Where its numbers are put together: they are good until these are used again. */
  readonly buffers: ColumnBuffers;
}

/** The head's fields of a chunk's parts. */
export function readChunkHead(parts: readonly Uint8Array[]): Fields {
  const [head = new Uint8Array(0)] = parts;
  if (head.length > MAX_HEAD_BYTES) {
    throw new WireError(`Cannot read a chunk's head of ${head.length} bytes: the limit is ${MAX_HEAD_BYTES}`, 0);
  }
  return new Fields(unpack(head, HEAD_LIMITS), "a chunk's head");
}

/** One chunk, decoded. `WireError` where it is not one. */
export class Chunk {
  readonly #firstEvent: number;
  /** How many event numbers it covers, and how many events it holds. */
  readonly #numbers: number;
  readonly #events: number;
  readonly #rows: EventNumbers;
  readonly #isGapless: boolean;
  readonly #history: KindHistory;
  readonly #shapeTable: ChunkShapes;
  readonly #shapes: readonly EventShape[];
  /** How many events have each shape. */
  readonly #uses: Uint32Array;
  /** The mark of each shape. */
  readonly #marks: Uint8Array;
  readonly #shapeOf: NumberValues;
  /** Of columns that mostly hold nothing but 0, null stands for that. */
  readonly #cause: NumberValues | null;
  readonly #of: NumberValues | null;
  readonly #time: NumberValues;
  readonly #wall: NumberValues | null;
  readonly #memory: MemoryRows;

  constructor(frame: ChunkFrame) {
    const { head } = frame;
    const events = head.has("events") ? head.count("events") : frame.events;
    if (events < 1 || events > frame.events || frame.events > CHUNK_EVENTS.most) {
      throw new WireError(`Cannot read chunk of ${events} events and ${frame.events} numbers`, 0);
    }
    this.#firstEvent = frame.firstEvent;
    this.#numbers = frame.events;
    this.#events = events;
    this.#history = frame.history;
    const source = new PlaneSource(head.bytes("columns"), frame.pools.slice(0, COLUMN_POOLS), frame.buffers);
    const texts = head.texts("strings");
    const plans = head.list("calls").map(restorePlan);
    const rows = { sites: checkedRows(head.count("sites"), events), shapes: checkedRows(head.count("shapes"), events) };
    this.#shapeTable = new ChunkShapes(source, { texts, plans, ...rows });
    const objects = new ObjectTables(head.list("objects"), source);
    const contents = readContents(frame, source);
    this.#shapeOf = readColumn(source, events, WORD);
    this.#uses = countUses(this.#shapeOf, rows.shapes);
    this.#cause = unlessZero(readColumn(source, events, SAFE));
    this.#of = unlessZero(readColumn(source, events, SAFE));
    this.#time = readColumn(source, events);
    this.#wall = unlessZero(readColumn(source, events, SAFE));
    const leftOut = head.has("events") ? readGaps(source, { events, numbers: frame.events - events }) : null;
    this.#isGapless = leftOut === null;
    this.#rows = new EventNumbers(frame.firstEvent, { events, leftOut });
    this.#memory = new MemoryRows(source, { carries: this.#carries(), contents });
    this.#shapes = this.#shapeTable.withRows(
      this.#readRows(plans, { source, interned: { texts, objects: (kind) => objects.of(kind), contents } }),
    );
    source.expectEnd();
    this.#marks = Uint8Array.from(this.#shapes, ({ kind }) => MARK_OF[kind]);
  }

  /** Events by kind and call. */
  counts(): EventCounts {
    return this.#shapeTable.counts(this.#uses);
  }

  /** The first event's time. */
  get firstTimeNs(): bigint {
    return this.#time.bigintAt(0);
  }

  /** The last event's time. */
  get lastTimeNs(): bigint {
    return this.#time.bigintAt(this.#events - 1);
  }

  /** The last event's wall time. */
  get lastWallNs(): number {
    return this.#wall === null ? 0 : this.#wall.numberAt(this.#events - 1);
  }

  /** Tells the history what the events are, for chunks behind this one. */
  remember(): void {
    const isPlain = this.#isGapless &&
      this.#marks.every((mark, shape) => mark === MARK.other || this.#uses[shape] === 0);
    const end = this.#firstEvent + this.#numbers;
    this.#history.add({ first: this.#firstEvent, end, marks: isPlain ? null : this.#packMarks() });
  }

  /** A walk through the events that are wanted; the chunk is good for one. */
  cursor(options: VisitOptions): ChunkCursor {
    const columns = {
      shapeOf: this.#shapeOf,
      cause: this.#cause,
      of: this.#of,
      time: this.#time,
      wall: this.#wall,
      memory: this.#memory,
    };
    const checkPointers = (event: number, shape: EventShape, to: Pick<TraceEvent, "cause" | "of">): void =>
      this.#checkPointers(event, shape, to);
    const events = { columns, shapes: this.#shapes, numbers: this.#rows, checkPointers };
    return new ChunkCursor(events, this.#wanted(options));
  }

  #wanted({ from = 1, to = Infinity, hears }: VisitOptions): WantedRows {
    const start = this.#rows.rowFrom(from);
    const end = this.#rows.rowFrom(to + 1);
    if (hears === undefined) return { start, end, ways: new Uint8Array(this.#shapes.length).fill(WAY.tell) };
    const told = new Set(this.#shapes.filter(({ plan, kind }) => hears(plan, kind)));
    const walked = this.#rowsToWalk(new Set([...told].map(({ rows }) => rows)));
    const needsMemory = [...told].some(({ memory }) => memory !== 0);
    const ways = Uint8Array.from(this.#shapes, (shape) => {
      if (told.has(shape)) return WAY.tell;
      return walked.has(shape.rows) || (needsMemory && shape.memory !== 0) ? WAY.walk : WAY.pass;
    });
    return { start, end: told.size === 0 ? 0 : end, ways };
  }

  /** The calls whose rows others depend on: those with events that are told, and where objects are told, those that mention new ones. */
  #rowsToWalk(told: ReadonlySet<CallRows | null>): ReadonlySet<CallRows | null> {
    const needsObjects = [...told].some((rows) => rows !== null && rows.holdsObjects);
    const all = [...new Set(this.#shapes.map(({ rows }) => rows))];
    return new Set(all.filter((rows) => rows !== null && (told.has(rows) || (needsObjects && rows.mentionsObjects))));
  }

  /** Throws where an event points to one that it cannot point to, as far as that one is known. */
  #checkPointers(
    event: number,
    { kind, answers }: EventShape,
    { cause, of }: Pick<TraceEvent, "cause" | "of">,
  ): void {
    if ((of !== 0) !== (answers !== 0)) {
      throw new WireError(`Cannot read event ${event}: a ${kind} is of event ${of}`, 0);
    }
    const asked = of === 0 ? MARK.unknown : this.#markOf(of);
    if (asked !== MARK.unknown && asked !== answers) {
      throw new WireError(`Cannot read event ${event}: a ${kind} is of event ${of}, which it cannot answer`, 0);
    }
    if (cause !== 0 && this.#markOf(cause) === MARK.effect) {
      throw new WireError(`Cannot read event ${event}: its cause is event ${cause}, which makes nothing happen`, 0);
    }
  }

  #markOf(event: number): number {
    if (event < this.#firstEvent) return this.#history.markOf(event);
    const row = this.#rows.rowFrom(event);
    return this.#rows.of(row) === event ? this.#marks[this.#shapeOf.at(row)] ?? MARK.unknown : MARK.unknown;
  }

  #packMarks(): Uint8Array {
    const packed = new Uint8Array((this.#numbers + 1) >> 1);
    for (let row = 0; row < this.#events; row += 1) {
      const at = row + this.#rows.gapsBefore(row);
      packed[at >> 1] = (packed[at >> 1] ?? 0) | (this.#marks[this.#shapeOf.at(row)] ?? 0) << (4 * (at & 1));
    }
    return packed;
  }

  /** Which memory deltas carry bytes, in order. */
  #carries(): readonly boolean[] {
    const memory = this.#shapeTable.memory();
    if (memory.every((each) => each === 0)) return [];
    const carries: boolean[] = [];
    for (let row = 0; row < this.#events; row += 1) {
      const each = memory[this.#shapeOf.at(row)] ?? 0;
      if (each !== 0) carries.push(each % 2 === 0);
    }
    return carries;
  }

  #readRows(
    plans: readonly CallPlan[],
    from: { readonly source: PlaneSource; readonly interned: Interned },
  ): readonly CallRows[] {
    const counts = this.#shapeTable.rowsOf(this.#uses);
    return plans.map((plan, index) => new CallRows(plan, counts[index] ?? { ins: [], outs: [], returned: 0 }, from));
  }
}

/** What the chunk's bytes are runs of; null where it has none, or has them in its columns. */
function readContents({ head, pools }: ChunkFrame, source: PlaneSource): ByteContents | null {
  const parts = pools.slice(COLUMN_POOLS);
  if (head.has("contents")) {
    return new ByteContents(source, { count: checkedRows(head.count("contents"), MAX_TABLE_ROWS), parts });
  }
  if (parts.length > 0) throw new WireError(`Cannot read chunk: ${parts.length} parts belong to no contents`, 0);
  return null;
}

/** How many events have each shape; throws where one has none. */
function countUses(shapeOf: NumberValues, shapes: number): Uint32Array {
  const uses = new Uint32Array(shapes);
  const words = shapeOf.words();
  const { mask, length } = shapeOf;
  for (let row = 0; row < length; row += 1) {
    const shape = words[row & mask] ?? 0;
    // A shape that there is not is not counted.
    uses[shape] = (uses[shape] ?? 0) + 1;
  }
  if (uses.reduce((sum, count) => sum + count, 0) !== length) shapeOf.expectBelow(shapes);
  return uses;
}

/** Sums of the gaps, which must come to all numbers that are not events'. */
function readGaps(
  source: PlaneSource,
  { events, numbers }: { readonly events: number; readonly numbers: number },
): Uint32Array {
  const gaps = readColumn(source, events, CHUNK_EVENTS.most);
  const sums = new Uint32Array(events);
  let sum = 0;
  for (let row = 0; row < sums.length; row += 1) {
    sum += gaps.at(row);
    sums[row] = sum;
  }
  if (gaps.at(0) === 0 && sum === numbers) return sums;
  throw new WireError(`Cannot read chunk: ${sum} numbers are left out, wanted ${numbers}`, 0);
}

function unlessZero(values: NumberValues): NumberValues | null {
  return values.isZero ? null : values;
}

function checkedRows(rows: number, most: number): number {
  if (rows > most) throw new WireError(`Cannot read table of ${rows} rows: the limit is ${most}`, 0);
  return rows;
}
