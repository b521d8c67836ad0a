// Reads a chunk: its tables, its columns, then event after event. Every index is checked against its table when the
// columns are read, so that walking cannot go wrong but for an object or a memory delta. It must not know files or blocks.

import {
  type CallPlan,
  CallRows,
  type CodedObjects,
  type Interned,
  type ObjectKind,
  objectKind,
  type Outcome,
  type Ref,
  VOID,
} from "../api/mod.ts";
import { Fields, type NumberValues, PlaneSource, readColumn, unpack, WireError } from "../wire/mod.ts";
import {
  CHUNK_EVENTS,
  countShapes,
  type EventCounts,
  OUTCOME_FORMS,
  PARTITIONS,
  SHAPE,
  SHAPE_MEMBERS,
} from "./chunk_layout.ts";
import { LEVELS, restorePlan } from "./declarations.ts";
import { EVENT_KINDS, type Site, type TraceEvent } from "./event.ts";
import { MemoryRows } from "./memory_rows.ts";

const WORD = 2 ** 32;
const SAFE = 2 ** 53;
const MAX_TABLE_ROWS = 2 ** 22;

/** What a chunk's block says of it. */
export interface ChunkFrame {
  readonly firstEvent: number;
  readonly events: number;
  /** The head's fields, brought up to this version. */
  readonly head: Fields;
  /** The pools behind the head. */
  readonly pools: readonly Uint8Array[];
}

/** The head's fields of a chunk's parts. */
export function readChunkHead(parts: readonly Uint8Array[]): Fields {
  return new Fields(unpack(parts[0] ?? new Uint8Array(0)), "a chunk's head");
}

/** What the events of a shape have in common. */
interface EventShape
  extends Omit<TraceEvent, "event" | "cause" | "of" | "timeNs" | "wallNs" | "ins" | "outs" | "memory"> {
  readonly returnsValue: boolean;
  readonly ins: number;
  readonly outs: number;
  readonly memory: number;
  readonly rows: CallRows | null;
}

const NONE: TraceEvent["ins"] = [];
/** For a kind of which the chunk has no object. */
const NO_OBJECTS = { numbers: noNumbers(), rests: noNumbers(), step: 0 };

/** One chunk, decoded. `WireError` where it is not one. */
export class Chunk {
  readonly #frame: ChunkFrame;
  readonly #source: PlaneSource;
  readonly #texts: readonly string[];
  readonly #plans: readonly CallPlan[];
  readonly #sites: readonly Site[];
  readonly #shapes: readonly NumberValues[];
  readonly #objects: ObjectTables;
  readonly #shapeOf: NumberValues;
  readonly #cause: NumberValues;
  readonly #of: NumberValues;
  readonly #time: NumberValues;
  readonly #wall: NumberValues;
  readonly #memory: MemoryRows;
  readonly #eventShapes: readonly EventShape[];
  #row = 0;

  constructor(frame: ChunkFrame) {
    const { head, events } = frame;
    if (events < 1 || events > CHUNK_EVENTS.most) throw new WireError(`Cannot read chunk of ${events} events`, 0);
    this.#frame = frame;
    this.#source = new PlaneSource(head.bytes("columns"), frame.pools);
    this.#texts = head.texts("strings");
    this.#plans = head.list("calls").map(restorePlan);
    this.#sites = this.#readSites(checkedRows(head.count("sites"), events));
    this.#shapes = this.#readShapes(checkedRows(head.count("shapes"), events));
    this.#objects = new ObjectTables(head.list("objects"), this.#source);
    this.#shapeOf = readColumn(this.#source, events, this.#shapes[0]?.length ?? 0);
    this.#cause = readColumn(this.#source, events, SAFE);
    this.#of = readColumn(this.#source, events, SAFE);
    this.#time = readColumn(this.#source, events);
    this.#wall = readColumn(this.#source, events, SAFE);
    const uses = this.#uses();
    this.#memory = new MemoryRows(this.#source, this.#memoryRows(uses));
    const rows = this.#plans.map((plan, index) => this.#readRows(plan, index + 1, uses));
    this.#eventShapes = Array.from(uses, (_, shape) => this.#shapeAt(shape, rows));
    this.#source.expectEnd();
  }

  /** Events by kind and call. */
  counts(): EventCounts {
    const uses = Array.from(this.#uses(), (events, shape) => ({
      kind: this.#member(shape, SHAPE.kind),
      call: this.#member(shape, SHAPE.call),
      events,
    }));
    return countShapes(uses, this.#plans.map((plan) => plan.name));
  }

  /** The first event's time. */
  get firstTimeNs(): bigint {
    return this.#time.bigintAt(0);
  }

  /** The last event's time. */
  get lastTimeNs(): bigint {
    return this.#time.bigintAt(this.#frame.events - 1);
  }

  /** The next event, in order, once; null behind the last. `WireError` for a code that names no object. */
  next(): TraceEvent | null {
    const row = this.#row;
    if (row === this.#frame.events) return null;
    this.#row = row + 1;
    const event = this.#frame.firstEvent + row;
    const shape = this.#eventShapes[this.#shapeOf.at(row)];
    if (shape === undefined) throw new WireError(`Cannot read event ${event}: it has no shape`, 0);
    const { rows } = shape;
    // In this order values were written, and objects got their codes.
    const ins = rows === null ? NONE : rows.ins(shape.ins);
    const outs = rows === null ? NONE : rows.outs(shape.outs);
    return {
      event,
      kind: shape.kind,
      plan: shape.plan,
      side: shape.side,
      actor: shape.actor,
      level: shape.level,
      cause: back(event, this.#cause.numberAt(row)),
      of: back(event, this.#of.numberAt(row)),
      timeNs: this.#time.bigintAt(row),
      wallNs: this.#wall.numberAt(row),
      site: shape.site,
      ins,
      outs,
      outcome: shape.returnsValue && rows !== null ? { form: "value", value: rows.returned() } : shape.outcome,
      memory: shape.memory === 0 ? null : this.#memory.next(shape.memory),
      text: shape.text,
    };
  }

  #shapeAt(shape: number, rows: readonly CallRows[]): EventShape {
    const call = this.#member(shape, SHAPE.call);
    const form = OUTCOME_FORMS[this.#member(shape, SHAPE.outcome) - 1];
    return {
      kind: EVENT_KINDS[this.#member(shape, SHAPE.kind)] ?? "note",
      plan: this.#plans[call - 1] ?? null,
      side: this.#text(shape, SHAPE.side),
      actor: this.#text(shape, SHAPE.actor),
      level: LEVELS[this.#member(shape, SHAPE.level)] ?? "machine",
      site: this.#sites[this.#member(shape, SHAPE.site) - 1] ?? null,
      outcome: this.#outcome(shape, form),
      returnsValue: form === "value",
      ins: this.#member(shape, SHAPE.ins),
      outs: this.#member(shape, SHAPE.outs),
      memory: this.#member(shape, SHAPE.memory),
      text: this.#text(shape, SHAPE.text),
      rows: rows[call - 1] ?? null,
    };
  }

  /** What all events of a shape answered, where it is one thing. */
  #outcome(shape: number, form: Outcome["form"] | undefined): Outcome | null {
    if (form === "status") return { form, status: this.#member(shape, SHAPE.status) };
    if (form === "refused") return { form, reason: this.#text(shape, SHAPE.reason) };
    return form === "void" ? VOID : null;
  }

  #member(shape: number, member: number): number {
    return this.#shapes[member]?.at(shape) ?? 0;
  }

  #text(shape: number, member: number): string {
    return this.#texts[this.#member(shape, member)] ?? "";
  }

  #readSites(count: number): readonly Site[] {
    const limits = [this.#texts.length, WORD, WORD, this.#texts.length];
    const columns = limits.map((limit) => readColumn(this.#source, count, limit));
    const at = (member: number, row: number): number => columns[member]?.at(row) ?? 0;
    return Array.from({ length: count }, (_, row) => ({
      file: this.#texts[at(0, row)] ?? "",
      line: at(1, row),
      column: at(2, row),
      function: this.#texts[at(3, row)] ?? "",
    }));
  }

  #readShapes(count: number): readonly NumberValues[] {
    const texts = Math.max(1, this.#texts.length);
    const limits = new Array<number>(SHAPE_MEMBERS).fill(WORD);
    limits[SHAPE.kind] = EVENT_KINDS.length;
    limits[SHAPE.call] = this.#plans.length + 1;
    limits[SHAPE.level] = LEVELS.length;
    limits[SHAPE.site] = this.#sites.length + 1;
    limits[SHAPE.outcome] = OUTCOME_FORMS.length + 1;
    limits[SHAPE.memory] = 1 + 2 * PARTITIONS.length;
    for (const member of [SHAPE.side, SHAPE.actor, SHAPE.reason, SHAPE.text]) limits[member] = texts;
    const shapes = limits.map((limit) => readColumn(this.#source, count, limit));
    for (let shape = 0; shape < count; shape += 1) checkShape(shapes, shape, this.#plans);
    return shapes;
  }

  /** How many events have each shape. */
  #uses(): Uint32Array {
    const uses = new Uint32Array(this.#shapes[0]?.length ?? 0);
    for (let row = 0; row < this.#shapeOf.length; row += 1) {
      const shape = this.#shapeOf.at(row);
      uses[shape] = (uses[shape] ?? 0) + 1;
    }
    return uses;
  }

  /** How many memory deltas there are, and which of them carry bytes, in order. */
  #memoryRows(uses: Uint32Array): readonly boolean[] {
    if (!uses.some((_, shape) => this.#member(shape, SHAPE.memory) !== 0)) return [];
    const rows: boolean[] = [];
    for (let row = 0; row < this.#shapeOf.length; row += 1) {
      const memory = this.#member(this.#shapeOf.at(row), SHAPE.memory);
      if (memory !== 0) rows.push(memory % 2 === 0);
    }
    return rows;
  }

  #readRows(plan: CallPlan, call: number, uses: Uint32Array): CallRows {
    const counts = { ins: plan.ins.map(() => 0), outs: plan.outs.map(() => 0), returned: 0 };
    for (const [shape, events] of uses.entries()) {
      if (this.#member(shape, SHAPE.call) !== call) continue;
      addFirst(counts.ins, this.#member(shape, SHAPE.ins), events);
      addFirst(counts.outs, this.#member(shape, SHAPE.outs), events);
      if (OUTCOME_FORMS[this.#member(shape, SHAPE.outcome) - 1] === "value") counts.returned += events;
    }
    const interned: Interned = { texts: this.#texts, objects: (kind) => this.#objects.of(kind) };
    return new CallRows(plan, counts, { source: this.#source, interned });
  }
}

function noNumbers(): NumberValues {
  return readColumn(new PlaneSource(new Uint8Array(0), []), 0);
}

/** The event that lies `distance` back, 0: none. */
function back(event: number, distance: number): number {
  if (distance >= event) throw new WireError(`Cannot read event ${event}: it points ${distance} events back`, 0);
  return distance === 0 ? 0 : event - distance;
}

function addFirst(counts: number[], first: number, more: number): void {
  for (let index = 0; index < first; index += 1) counts[index] = (counts[index] ?? 0) + more;
}

function checkedRows(rows: number, most: number): number {
  if (rows > most) throw new WireError(`Cannot read table of ${rows} rows: the limit is ${most}`, 0);
  return rows;
}

function checkShape(shapes: readonly NumberValues[], shape: number, plans: readonly CallPlan[]): void {
  const at = (member: number): number => shapes[member]?.at(shape) ?? 0;
  const plan = plans[at(SHAPE.call) - 1];
  const returnsValue = OUTCOME_FORMS[at(SHAPE.outcome) - 1] === "value";
  const fits = at(SHAPE.ins) <= (plan?.ins.length ?? 0) && at(SHAPE.outs) <= (plan?.outs.length ?? 0) &&
    (!returnsValue || (plan !== undefined && plan.returned !== null));
  if (!fits) {
    throw new WireError(`Cannot read shape ${shape}: it has more values than ${plan?.name ?? "no call"} declares`, 0);
  }
}

/** The objects that a chunk mentions, each one value, by kind in order of first mention. */
class ObjectTables {
  readonly #tables = new Map<ObjectKind, ObjectTable>();

  constructor(list: readonly unknown[], source: PlaneSource) {
    for (const entry of list) {
      const [word, count, step]: unknown[] = Array.isArray(entry) ? entry : [];
      const kind = typeof word === "string" ? objectKind(word) : null;
      if (kind === null || typeof count !== "number" || typeof step !== "number" || this.#tables.has(kind)) {
        throw new WireError(
          `Cannot read objects of "${String(word).slice(0, 40)}": no kind of object here, or twice`,
          0,
        );
      }
      const rows = checkedRows(count, MAX_TABLE_ROWS);
      const columns = { numbers: readColumn(source, rows, SAFE), rests: readColumn(source, rows), step };
      this.#tables.set(kind, new ObjectTable(kind, columns));
    }
  }

  of(kind: ObjectKind): ObjectTable {
    return this.#tables.get(kind) ?? new ObjectTable(kind, NO_OBJECTS);
  }
}

/** What a chunk says of the objects of a kind. */
interface ObjectColumns {
  readonly numbers: NumberValues;
  readonly rests: NumberValues;
  readonly step: number;
}

/** Each object is made where it is mentioned first: a table may claim many that no event mentions. */
class ObjectTable implements CodedObjects {
  readonly #kind: ObjectKind;
  readonly #columns: ObjectColumns;
  readonly #seen: Ref[] = [];

  constructor(kind: ObjectKind, columns: ObjectColumns) {
    this.#kind = kind;
    this.#columns = columns;
  }

  /** The object of a code: 0 is the next one not yet seen, else the one seen `code - 1` before the newest. */
  objectOf(code: number): Ref {
    const ref = code === 0 ? this.#add() : this.#seen[this.#seen.length - code];
    if (ref === undefined) {
      throw new WireError(`Cannot read event: code ${code} names no ${this.#kind} of this chunk`, 0);
    }
    return ref;
  }

  #add(): Ref | undefined {
    const row = this.#seen.length;
    const { numbers, rests, step } = this.#columns;
    if (row >= numbers.length) return undefined;
    const number = numbers.numberAt(row);
    const handle = rests.signedAt(row) + step * number;
    if (!Number.isSafeInteger(handle) || handle < 0) {
      throw new WireError(`Cannot read ${this.#kind}#${number}: its handle would be ${handle}`, 0);
    }
    const ref = { kind: this.#kind, number, handle };
    this.#seen.push(ref);
    return ref;
  }
}
