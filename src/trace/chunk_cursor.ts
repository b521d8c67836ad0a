// Steps through the events of a chunk and shows the one that it stands on. What a column or a shape says was checked when
// it was read, so that stepping cannot go wrong but for an object, a memory delta or an event that another points to: what
// is asked of an event afterwards never does. It must not know how chunks are read. Stepping must not allocate but what an
// event nests.

import { type CallRows, isRef, type Outcome, type Ref, type Value } from "../api/mod.ts";
import { type NumberValues, WireError } from "../wire/mod.ts";
import type { EventShape } from "./chunk_shapes.ts";
import type { EventNumbers } from "./event_numbers.ts";
import type { MemoryDelta, TraceEvent } from "./event.ts";
import type { EventView } from "./event_view.ts";
import type { MemoryRows } from "./memory_rows.ts";

/** What is done with the events of a shape: passed without a look, walked through for what later ones need, told. */
export const WAY = { pass: 0, walk: 1, tell: 2 } as const;

/** The columns of a chunk's events. Of those that mostly hold nothing but 0, null stands for that. */
export interface EventColumns {
  readonly shapeOf: NumberValues;
  readonly cause: NumberValues | null;
  readonly of: NumberValues | null;
  readonly time: NumberValues;
  readonly wall: NumberValues | null;
  readonly memory: MemoryRows;
}

/** Rows that are shown: those from `start` up to `end` whose shape is told; what is done with each shape. */
export interface WantedRows {
  readonly start: number;
  readonly end: number;
  readonly ways: Uint8Array;
}

/** Throws `WireError` where an event points to one that it cannot point to. */
export type PointerCheck = (event: number, shape: EventShape, to: Pick<TraceEvent, "cause" | "of">) => void;

/** What a cursor goes through. */
export interface ChunkEvents {
  readonly columns: EventColumns;
  readonly shapes: readonly EventShape[];
  readonly numbers: EventNumbers;
  readonly checkPointers: PointerCheck;
}

const NONE: readonly Value[] = [];

/** A walk through a chunk, once. */
export class ChunkCursor implements EventView {
  readonly #columns: EventColumns;
  readonly #cause: NumberValues | null;
  readonly #of: NumberValues | null;
  readonly #words: Uint32Array;
  readonly #mask: number;
  readonly #shapes: readonly EventShape[];
  readonly #numbers: EventNumbers;
  readonly #checkPointers: PointerCheck;
  readonly #ways: Uint8Array;
  readonly #start: number;
  readonly #end: number;
  #row = -1;
  #shape: EventShape;
  #rows: CallRows | null = null;
  #delta: MemoryDelta | null = null;
  /** What was made of the event already. */
  #ins: readonly Value[] | null = null;
  #outs: readonly Value[] | null = null;
  #outcome: Outcome | null = null;
  event = 0;
  cause = 0;
  of = 0;

  /** Throws `WireError` where there is no shape that events could have. */
  constructor({ columns, shapes, numbers, checkPointers }: ChunkEvents, { start, end, ways }: WantedRows) {
    const [first] = shapes;
    if (first === undefined) throw new WireError("Cannot read chunk: its events have no shapes", 0);
    this.#columns = columns;
    this.#cause = columns.cause;
    this.#of = columns.of;
    this.#words = columns.shapeOf.words();
    this.#mask = columns.shapeOf.mask;
    this.#shapes = shapes;
    this.#numbers = numbers;
    this.#checkPointers = checkPointers;
    this.#ways = ways;
    this.#start = start;
    this.#end = end;
    this.#shape = first;
  }

  /** The event that `step` came to, or failed at, last. */
  get last(): number {
    return this.#numbers.of(Math.max(0, this.#row));
  }

  /** Steps to the next event that is wanted; false: there is none. `WireError` for one that cannot be. */
  step(): boolean {
    const words = this.#words;
    const ways = this.#ways;
    for (let row = this.#row + 1; row < this.#end; row += 1) {
      const number = words[row & this.#mask] ?? 0;
      const way = ways[number];
      if (way === WAY.pass) continue;
      this.#row = row;
      const shape = this.#shapes[number];
      if (shape === undefined) throw new WireError(`Cannot read event ${this.last}: it has no shape`, 0);
      if (way === WAY.tell && row >= this.#start) {
        this.#show(row, shape);
        return true;
      }
      if (shape.rows !== null) shape.rows.skip(shape.ins, shape.outs, shape.returnsValue);
      if (shape.memory !== 0) this.#columns.memory.next(shape.memory);
    }
    return false;
  }

  #show(row: number, shape: EventShape): void {
    const event = this.#numbers.of(row);
    const { rows } = shape;
    this.#shape = shape;
    this.#rows = rows;
    this.#ins = null;
    this.#outs = null;
    this.#outcome = shape.outcome;
    this.event = event;
    this.cause = this.#cause === null ? 0 : back(event, this.#cause.numberAt(row));
    this.of = this.#of === null ? 0 : back(event, this.#of.numberAt(row));
    if (this.cause !== 0 || this.of !== 0 || shape.answers !== 0) this.#checkPointers(event, shape, this);
    if (rows !== null) rows.step(shape.ins, shape.outs, shape.returnsValue);
    if (shape.returnsValue && rows !== null) this.#outcome = null;
    this.#delta = shape.memory === 0 ? null : this.#columns.memory.next(shape.memory);
  }

  get kind(): TraceEvent["kind"] {
    return this.#shape.kind;
  }

  get plan(): TraceEvent["plan"] {
    return this.#shape.plan;
  }

  get side(): string {
    return this.#shape.side;
  }

  get actor(): string {
    return this.#shape.actor;
  }

  get level(): TraceEvent["level"] {
    return this.#shape.level;
  }

  get timeNs(): bigint {
    return this.#columns.time.bigintAt(this.#row);
  }

  get site(): TraceEvent["site"] {
    return this.#shape.site;
  }

  get ins(): readonly Value[] {
    return this.#ins ?? (this.#ins = this.#rows === null ? NONE : this.#rows.ins(this.#shape.ins));
  }

  get outs(): readonly Value[] {
    return this.#outs ?? (this.#outs = this.#rows === null ? NONE : this.#rows.outs(this.#shape.outs));
  }

  get outcome(): Outcome | null {
    if (this.#outcome !== null || !this.#shape.returnsValue || this.#rows === null) return this.#outcome;
    this.#outcome = { form: "value", value: this.#rows.returned() };
    return this.#outcome;
  }

  inValue(place: number): Value | undefined {
    if (this.#ins !== null) return this.#ins[place];
    return this.#rows === null || place < 0 || place >= this.#shape.ins ? undefined : this.#rows.in(place);
  }

  outValue(place: number): Value | undefined {
    if (this.#outs !== null) return this.#outs[place];
    return this.#rows === null || place < 0 || place >= this.#shape.outs ? undefined : this.#rows.out(place);
  }

  inNumber(place: number): number {
    return this.#rows === null || place < 0 || place >= this.#shape.ins ? 0 : this.#rows.inNumber(place);
  }

  inObject(place: number): number {
    return this.#rows === null || place < 0 || place >= this.#shape.ins ? -1 : this.#rows.inObject(place);
  }

  inRef(place: number): Ref | null {
    const value = this.#rows === null || place < 0 || place >= this.#shape.ins ? null : this.#rows.in(place);
    return isRef(value) ? value : null;
  }

  outNumber(place: number): number {
    return this.#rows === null || place < 0 || place >= this.#shape.outs ? 0 : this.#rows.outNumber(place);
  }

  outObject(place: number): number {
    return this.#rows === null || place < 0 || place >= this.#shape.outs ? -1 : this.#rows.outObject(place);
  }

  outHandle(place: number): number {
    return this.#rows === null || place < 0 || place >= this.#shape.outs ? 0 : this.#rows.outHandle(place);
  }

  outRef(place: number): Ref | null {
    const value = this.#rows === null || place < 0 || place >= this.#shape.outs ? null : this.#rows.out(place);
    return isRef(value) ? value : null;
  }

  keep(): TraceEvent {
    const shape = this.#shape;
    const { time, wall } = this.#columns;
    return {
      event: this.event,
      kind: shape.kind,
      plan: shape.plan,
      side: shape.side,
      actor: shape.actor,
      level: shape.level,
      cause: this.cause,
      of: this.of,
      timeNs: time.bigintAt(this.#row),
      wallNs: wall === null ? 0 : wall.numberAt(this.#row),
      site: shape.site,
      ins: this.ins,
      outs: this.outs,
      outcome: this.outcome,
      memory: this.#delta,
      text: shape.text,
    };
  }
}

/** The event that lies `distance` back, 0: none. */
function back(event: number, distance: number): number {
  if (distance >= event) throw new WireError(`Cannot read event ${event}: it points ${distance} events back`, 0);
  return distance === 0 ? 0 : event - distance;
}
