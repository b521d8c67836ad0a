// Fills a chunk's columns from events and hands them out as the parts of a block. One set of buffers, reused from
// chunk to chunk. It must not know files or blocks. Events were checked; appending must not allocate but to grow and
// to intern a text, a plan or an object kind that the chunk has not seen.

import {
  CallColumns,
  type CallPlan,
  HANDLE_SPACES,
  type Interning,
  type ObjectKind,
  OBJECTS,
  type Outcome,
  type Ref,
  valueWeight,
} from "../api/mod.ts";
import {
  ByteWriter,
  NumberColumn,
  pack,
  type Packable,
  PlaneSink,
  TupleTable,
  writeBytes,
  writeColumn,
} from "../wire/mod.ts";
import {
  CHUNK_WEIGHT_BYTES,
  countShapes,
  type EventCounts,
  OUTCOME_FORMS,
  PARTITIONS,
  SHAPE,
  SHAPE_MEMBERS,
  SITE_MEMBERS,
} from "./chunk_layout.ts";
import { describePlan, LEVELS } from "./declarations.ts";
import { EVENT_KINDS, type MemoryDelta, type Site, type TraceEvent } from "./event.ts";

/** A chunk's content, ready for a block. */
export interface BuiltChunk {
  readonly firstEvent: number;
  readonly events: number;
  readonly firstTimeNs: bigint;
  readonly lastTimeNs: bigint;
  readonly counts: EventCounts;
  readonly parts: readonly Uint8Array[];
}

const KIND_NUMBERS = new Map<string, number>(EVENT_KINDS.map((kind, index) => [kind, index]));
const LEVEL_NUMBERS = new Map<string, number>(LEVELS.map((level, index) => [level, index]));
const FORM_NUMBERS = new Map<string, number>(OUTCOME_FORMS.map((form, index) => [form, index + 1]));
const PARTITION_NUMBERS = new Map<string, number>(PARTITIONS.map((partition, index) => [partition, index]));
/** Plans whose columns are kept between chunks; a foreign trace brings new plans with every chunk. */
const MAX_KEPT_PLANS = 1024;
const OBJECT_MEMBERS = 4;

/** The columns of one chunk after the other. */
export class ChunkBuilder implements Interning {
  readonly #sink = new PlaneSink();
  readonly #texts = new Map<string, number>();
  readonly #shapes = new TupleTable(SHAPE_MEMBERS);
  readonly #sites = new TupleTable(SITE_MEMBERS);
  readonly #objects = new Map<ObjectKind, TupleTable>();
  /** Tables of earlier chunks, empty. */
  readonly #spare: TupleTable[] = [];
  readonly #kept = new Map<CallPlan, CallColumns>();
  readonly #calls = new Map<CallPlan, { readonly number: number; readonly columns: CallColumns }>();
  readonly #shapeOf = new NumberColumn();
  readonly #cause = new NumberColumn();
  readonly #of = new NumberColumn();
  readonly #time = new NumberColumn();
  readonly #wall = new NumberColumn();
  readonly #page = new NumberColumn();
  readonly #offset = new NumberColumn();
  readonly #length = new NumberColumn();
  readonly #digest = new NumberColumn();
  readonly #memory = new ByteWriter();
  readonly #member = new NumberColumn();
  readonly #shape = new Uint32Array(SHAPE_MEMBERS);
  readonly #tuple = new Uint32Array(OBJECT_MEMBERS);
  #firstEvent = 0;
  #firstTimeNs = 0n;
  #lastTimeNs = 0n;
  #weight = 0;

  /** Events appended since the last chunk. */
  get events(): number {
    return this.#shapeOf.length;
  }

  /** Whether bytes, arrays and texts fill the chunk before its events do. */
  get isHeavy(): boolean {
    return this.#weight >= CHUNK_WEIGHT_BYTES;
  }

  /** Appends an event that follows the last one; it was checked. */
  append(event: TraceEvent): void {
    if (this.events === 0) {
      this.#firstEvent = event.event;
      this.#firstTimeNs = event.timeNs;
    }
    this.#lastTimeNs = event.timeNs;
    const shape = this.#shape;
    shape[SHAPE.kind] = KIND_NUMBERS.get(event.kind) ?? 0;
    shape[SHAPE.side] = this.text(event.side);
    shape[SHAPE.actor] = this.text(event.actor);
    shape[SHAPE.level] = LEVEL_NUMBERS.get(event.level) ?? 0;
    shape[SHAPE.site] = event.site === null ? 0 : this.#internSite(event.site);
    shape[SHAPE.text] = this.text(event.text);
    this.#appendCall(event);
    shape[SHAPE.memory] = event.memory === null ? 0 : this.#appendMemory(event.memory);
    this.#shapeOf.push(this.#shapes.intern(shape));
    this.#cause.pushNumber(event.cause === 0 ? 0 : event.event - event.cause);
    this.#of.pushNumber(event.of === 0 ? 0 : event.event - event.of);
    this.#time.pushBigint(event.timeNs);
    this.#wall.pushNumber(event.wallNs);
  }

  /** The text's index in this chunk. */
  text(text: string): number {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    this.#texts.set(text, this.#texts.size);
    this.#weight += text.length + 8;
    return this.#texts.size - 1;
  }

  /** 0: the object follows the last new one of its kind; else 1 + how many new ones came after it. */
  object(ref: Ref): number {
    let table = this.#objects.get(ref.kind);
    if (table === undefined) {
      table = this.#spare.pop() ?? new TupleTable(OBJECT_MEMBERS);
      this.#objects.set(ref.kind, table);
    }
    this.#tuple[0] = ref.number;
    this.#tuple[1] = ref.number / 0x100000000;
    this.#tuple[2] = ref.handle;
    this.#tuple[3] = ref.handle / 0x100000000;
    const before = table.size;
    const index = table.intern(this.#tuple);
    return index === before ? 0 : before - index;
  }

  /** What was appended, as parts; the builder starts over. */
  finish(): BuiltChunk {
    const uses = this.#shapeUses();
    const calls = [...this.#calls.keys()];
    this.#writeColumns();
    const head = pack(
      new Map<string, Packable>([
        ["strings", [...this.#texts.keys()].map((text) => text.toWellFormed())],
        ["calls", calls.map(describePlan)],
        ["sites", this.#sites.size],
        ["shapes", this.#shapes.size],
        ["objects", [...this.#objects].map(([kind, table]) => [kind, table.size, stepOf(kind, table)])],
        ["columns", this.#sink.heads.view()],
      ]),
    );
    const built: BuiltChunk = {
      firstEvent: this.#firstEvent,
      events: this.events,
      firstTimeNs: this.#firstTimeNs,
      lastTimeNs: this.#lastTimeNs,
      counts: countShapes(uses, calls.map((plan) => plan.name)),
      parts: [head, ...this.#sink.pools.map((pool) => pool.copy())],
    };
    this.#clear();
    return built;
  }

  #appendCall({ plan, ins, outs, outcome }: TraceEvent): void {
    const shape = this.#shape;
    shape[SHAPE.outcome] = outcome === null ? 0 : FORM_NUMBERS.get(outcome.form) ?? 0;
    shape[SHAPE.status] = outcome?.form === "status" ? outcome.status : 0;
    shape[SHAPE.reason] = outcome?.form === "refused" ? this.text(outcome.reason) : 0;
    shape[SHAPE.ins] = ins.length;
    shape[SHAPE.outs] = outs.length;
    shape[SHAPE.call] = 0;
    if (plan === null) return;
    const { number, columns } = this.#calls.get(plan) ?? this.#addCall(plan);
    shape[SHAPE.call] = number;
    columns.appendIns(ins);
    columns.appendOuts(outs);
    if (outcome?.form === "value") columns.appendReturned(outcome.value);
    this.#weigh(plan, ins, outs, outcome);
  }

  #weigh(plan: CallPlan, ins: TraceEvent["ins"], outs: TraceEvent["outs"], outcome: Outcome | null): void {
    for (let index = 0; index < ins.length; index += 1) {
      if (plan.ins[index]?.isArray || plan.ins[index]?.storage === "bytes") {
        this.#weight += valueWeight(ins[index] ?? null);
      }
    }
    for (let index = 0; index < outs.length; index += 1) {
      if (plan.outs[index]?.isArray || plan.outs[index]?.storage === "bytes") {
        this.#weight += valueWeight(outs[index] ?? null);
      }
    }
    if (outcome?.form === "value" && outcome.value instanceof Uint8Array) this.#weight += outcome.value.length;
  }

  #addCall(plan: CallPlan): { readonly number: number; readonly columns: CallColumns } {
    if (this.#kept.size >= MAX_KEPT_PLANS) this.#kept.clear();
    const columns = this.#kept.get(plan) ?? new CallColumns(plan, this);
    this.#kept.set(plan, columns);
    const call = { number: this.#calls.size + 1, columns };
    this.#calls.set(plan, call);
    return call;
  }

  #internSite(site: Site): number {
    this.#tuple[0] = this.text(site.file);
    this.#tuple[1] = site.line;
    this.#tuple[2] = site.column;
    this.#tuple[3] = this.text(site.function);
    return 1 + this.#sites.intern(this.#tuple);
  }

  #appendMemory({ partition, page, offset, length, digest, bytes }: MemoryDelta): number {
    this.#page.pushNumber(page);
    this.#offset.push(offset);
    this.#length.push(length);
    this.#digest.push(digest);
    if (bytes !== null) this.#memory.bytes(bytes);
    this.#weight += bytes?.length ?? 0;
    return 1 + 2 * (PARTITION_NUMBERS.get(partition) ?? 0) + (bytes === null ? 0 : 1);
  }

  #shapeUses(): { readonly kind: number; readonly call: number; readonly events: number }[] {
    const { low, length } = this.#shapeOf.view();
    const events = new Uint32Array(this.#shapes.size);
    for (let index = 0; index < length; index += 1) events[low[index] ?? 0] = (events[low[index] ?? 0] ?? 0) + 1;
    return Array.from(events, (count, shape) => ({
      kind: this.#shapes.member(shape, SHAPE.kind),
      call: this.#shapes.member(shape, SHAPE.call),
      events: count,
    }));
  }

  #writeColumns(): void {
    this.#writeTable(this.#sites, SITE_MEMBERS);
    this.#writeTable(this.#shapes, SHAPE_MEMBERS);
    for (const [kind, table] of this.#objects) this.#writeObjects(table, stepOf(kind, table));
    for (const column of this.#eventColumns()) writeColumn(column, this.#sink);
    writeBytes(this.#memory.view(), this.#sink);
    for (const { columns } of this.#calls.values()) columns.write(this.#sink);
  }

  #eventColumns(): readonly NumberColumn[] {
    return [
      this.#shapeOf,
      this.#cause,
      this.#of,
      this.#time,
      this.#wall,
      this.#page,
      this.#offset,
      this.#length,
      this.#digest,
    ];
  }

  #writeTable(table: TupleTable, members: number): void {
    for (let member = 0; member < members; member += 1) {
      this.#member.clear();
      table.copyMember(member, this.#member);
      writeColumn(this.#member, this.#sink);
    }
  }

  /** Numbers, then what is left of handles over `step` times the number, its sign bit flipped. */
  #writeObjects(table: TupleTable, step: number): void {
    this.#member.clear();
    for (let index = 0; index < table.size; index += 1) this.#member.pushNumber(numberOf(table, index));
    writeColumn(this.#member, this.#sink);
    this.#member.clear();
    for (let index = 0; index < table.size; index += 1) {
      const handle = table.member(index, 3) * 0x100000000 + table.member(index, 2);
      const rest = handle - step * numberOf(table, index);
      this.#member.pushHalves(rest >>> 0, (Math.floor(rest / 0x100000000) ^ 0x80000000) >>> 0);
    }
    writeColumn(this.#member, this.#sink);
  }

  #clear(): void {
    this.#sink.clear();
    this.#texts.clear();
    this.#shapes.clear();
    this.#sites.clear();
    for (const table of this.#objects.values()) {
      table.clear();
      this.#spare.push(table);
    }
    this.#objects.clear();
    for (const { columns } of this.#calls.values()) columns.clear();
    this.#calls.clear();
    for (const column of this.#eventColumns()) column.clear();
    this.#memory.clear();
    this.#weight = 0;
  }
}

function numberOf(table: TupleTable, index: number): number {
  return table.member(index, 1) * 0x100000000 + table.member(index, 0);
}

/** How much a kind's handles grow by number; 0 where that would leave the whole numbers. */
function stepOf(kind: ObjectKind, table: TupleTable): number {
  const { step } = HANDLE_SPACES[OBJECTS[kind].handles];
  for (let index = 0; index < table.size; index += 1) if (numberOf(table, index) > 2 ** 46) return 0;
  return step;
}
