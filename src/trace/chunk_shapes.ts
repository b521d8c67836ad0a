// The shapes of a chunk's events, for reading: what repeats from event to event, once, with its texts, site and call in
// place. Every index is checked against its table, every shape against what its kind carries. It must not know events' own
// columns.

import { type CallPlan, type CallRowCounts, type CallRows, type Outcome, VOID } from "../api/mod.ts";
import { type NumberValues, type PlaneSource, readColumn, WireError } from "../wire/mod.ts";
import {
  countShapes,
  type EventCounts,
  OUTCOME_FORMS,
  PARTITIONS,
  SHAPE,
  SHAPE_MEMBERS,
  SITE_MEMBERS,
} from "./chunk_layout.ts";
import { EVENT_KINDS, LEVELS, type Site, type TraceEvent } from "./event.ts";
import { MARK } from "./kind_history.ts";
import { kindTrouble, textTrouble } from "./validate.ts";

const WORD = 2 ** 32;
/** Stands for any returned value. */
const VALUE: Outcome = Object.freeze({ form: "value", value: null });

/** What the events of a shape have in common. */
export interface EventShape
  extends Omit<TraceEvent, "event" | "cause" | "of" | "timeNs" | "wallNs" | "ins" | "outs" | "memory"> {
  /** Whether each event has a value of its own in place of the outcome. */
  readonly returnsValue: boolean;
  /** How many in and out parameters each event has. */
  readonly ins: number;
  readonly outs: number;
  /** 0: no memory delta, else its partition and whether it carries bytes. */
  readonly memory: number;
  readonly rows: CallRows | null;
  /** The mark of what it answers, 0: it answers nothing. */
  readonly answers: number;
}

/**
 * The one string of its content that names of members are, too: each chunk brings texts of its own, and who compares sides
 * at every event compares one string with itself.
 */
function sameText(text: string): string {
  for (const name in { [text]: true }) return name;
  return text;
}

/** What shapes refer to by number. */
interface Named {
  readonly texts: readonly string[];
  readonly plans: readonly CallPlan[];
}

/** The shapes of one chunk. `WireError` where they are not. */
export class ChunkShapes {
  readonly size: number;
  readonly #texts: readonly string[];
  readonly #plans: readonly CallPlan[];
  readonly #sites: readonly Site[];
  readonly #columns: readonly NumberValues[];

  /** Reads the columns of so many sites and shapes. */
  constructor(
    source: PlaneSource,
    { texts, plans, sites, shapes }: Named & { readonly sites: number; readonly shapes: number },
  ) {
    this.size = shapes;
    this.#texts = texts;
    this.#plans = plans;
    this.#sites = readSites(source, { texts, count: sites });
    this.#columns = this.#limits().map((limit) => readColumn(source, shapes, limit));
    for (let shape = 0; shape < shapes; shape += 1) this.#checkCounts(shape);
  }

  /** How many of so many events of each shape there are by kind and call. */
  counts(uses: Uint32Array): EventCounts {
    const each = Array.from(uses, (events, shape) => ({
      kind: this.#member(shape, SHAPE.kind),
      call: this.#member(shape, SHAPE.call),
      events,
    }));
    return countShapes(each, this.#plans.map((plan) => plan.name));
  }

  /** The memory member of each shape. */
  memory(): Uint8Array {
    return Uint8Array.from({ length: this.size }, (_, shape) => this.#member(shape, SHAPE.memory));
  }

  /** How many rows the columns of each call have, of so many events of each shape. */
  rowsOf(uses: Uint32Array): readonly CallRowCounts[] {
    const counts = this.#plans.map(({ ins, outs }) => ({
      ins: new Array<number>(ins.length).fill(0),
      outs: new Array<number>(outs.length).fill(0),
      returned: 0,
    }));
    for (const [shape, events] of uses.entries()) {
      const count = counts[this.#member(shape, SHAPE.call) - 1];
      if (count === undefined) continue;
      addFirst(count.ins, this.#member(shape, SHAPE.ins), events);
      addFirst(count.outs, this.#member(shape, SHAPE.outs), events);
      if (this.#form(shape) === "value") count.returned += events;
    }
    return counts;
  }

  /** All shapes, with the rows of their calls. `WireError` for one that no event can have. */
  withRows(rows: readonly CallRows[]): readonly EventShape[] {
    return Array.from({ length: this.size }, (_, shape) => this.#shapeAt(shape, rows));
  }

  #shapeAt(number: number, rows: readonly CallRows[]): EventShape {
    const call = this.#member(number, SHAPE.call);
    const kind = EVENT_KINDS[this.#member(number, SHAPE.kind)] ?? "note";
    const shape = {
      kind,
      plan: this.#plans[call - 1] ?? null,
      side: sameText(this.#text(number, SHAPE.side)),
      actor: this.#text(number, SHAPE.actor),
      level: LEVELS[this.#member(number, SHAPE.level)] ?? "machine",
      site: this.#sites[this.#member(number, SHAPE.site) - 1] ?? null,
      outcome: this.#outcome(number),
      returnsValue: this.#form(number) === "value",
      ins: this.#member(number, SHAPE.ins),
      outs: this.#member(number, SHAPE.outs),
      memory: this.#member(number, SHAPE.memory),
      text: this.#text(number, SHAPE.text),
      rows: rows[call - 1] ?? null,
      answers: kind === "leave" ? MARK.enter : kind === "return" ? MARK.callback : 0,
    };
    const trouble = kindTrouble({ ...shape, hasMemory: shape.memory !== 0 }) ?? textTrouble(shape);
    if (trouble !== null) throw new WireError(`Cannot read shape ${number}: ${trouble}`, 0);
    return shape;
  }

  /** What all events of a shape answered, where it is one thing. */
  #outcome(shape: number): Outcome | null {
    const form = this.#form(shape);
    if (form === "status") return { form, status: this.#member(shape, SHAPE.status) };
    if (form === "refused") return { form, reason: this.#text(shape, SHAPE.reason) };
    return form === undefined ? null : form === "void" ? VOID : VALUE;
  }

  #form(shape: number): Outcome["form"] | undefined {
    return OUTCOME_FORMS[this.#member(shape, SHAPE.outcome) - 1];
  }

  #member(shape: number, member: number): number {
    return this.#columns[member]?.at(shape) ?? 0;
  }

  #text(shape: number, member: number): string {
    return this.#texts[this.#member(shape, member)] ?? "";
  }

  #limits(): readonly number[] {
    const limits = new Array<number>(SHAPE_MEMBERS).fill(WORD);
    limits[SHAPE.kind] = EVENT_KINDS.length;
    limits[SHAPE.call] = this.#plans.length + 1;
    limits[SHAPE.level] = LEVELS.length;
    limits[SHAPE.site] = this.#sites.length + 1;
    limits[SHAPE.outcome] = OUTCOME_FORMS.length + 1;
    limits[SHAPE.memory] = 1 + 2 * PARTITIONS.length;
    const texts = Math.max(1, this.#texts.length);
    for (const member of [SHAPE.side, SHAPE.actor, SHAPE.reason, SHAPE.text]) limits[member] = texts;
    return limits;
  }

  /** Throws where a shape has more values than its call: columns could not be counted. */
  #checkCounts(shape: number): void {
    const plan = this.#plans[this.#member(shape, SHAPE.call) - 1];
    const fits = this.#member(shape, SHAPE.ins) <= (plan?.ins.length ?? 0) &&
      this.#member(shape, SHAPE.outs) <= (plan?.outs.length ?? 0) &&
      (this.#form(shape) !== "value" || (plan !== undefined && plan.returned !== null));
    if (fits) return;
    throw new WireError(`Cannot read shape ${shape}: it has more values than ${plan?.name ?? "no call"} declares`, 0);
  }
}

function readSites(
  source: PlaneSource,
  { texts, count }: { readonly texts: readonly string[]; readonly count: number },
): readonly Site[] {
  const columns = Array.from(
    { length: SITE_MEMBERS },
    (_, member) => readColumn(source, count, member === 0 || member === SITE_MEMBERS - 1 ? texts.length : WORD),
  );
  const at = (member: number, row: number): number => columns[member]?.at(row) ?? 0;
  return Array.from({ length: count }, (_, row) => ({
    file: texts[at(0, row)] ?? "",
    line: at(1, row),
    column: at(2, row),
    function: texts[at(3, row)] ?? "",
  }));
}

function addFirst(counts: number[], first: number, more: number): void {
  for (let index = 0; index < first; index += 1) counts[index] = (counts[index] ?? 0) + more;
}
