// Whether events are what the model says they are: one alone (`eventTrouble`), and one after the other (`validate`).
// Used on both sides of a file. It must not know bytes.

import { PAGE_BYTES, valueTrouble } from "../api/mod.ts";
import { EVENT_KINDS, type EventKind, type Loss, type MemoryDelta, type Trace, type TraceEvent } from "./event.ts";

/** What is wrong with an event. */
export interface TraceProblem {
  readonly event: number;
  readonly message: string;
}

const MAX_TEXT_LETTERS = 2 ** 20;
const MAX_UINT = 2 ** 32;
/** Events to a page of kinds, and pages that are kept: what points to later events is not checked. */
const PAGE_EVENTS = 2 ** 14;
const MAX_PAGES = 2 ** 13;
/** Kinds that carry in parameters, out parameters, an outcome. */
const CARRIES: Readonly<
  Record<EventKind, { readonly ins: boolean; readonly outs: boolean; readonly outcome: boolean }>
> = {
  call: { ins: true, outs: true, outcome: true },
  enter: { ins: true, outs: false, outcome: false },
  leave: { ins: false, outs: true, outcome: true },
  callback: { ins: true, outs: false, outcome: false },
  return: { ins: false, outs: true, outcome: true },
  memory: { ins: false, outs: false, outcome: false },
  note: { ins: false, outs: false, outcome: false },
};

/** Why an event alone cannot stand in a trace, or null: values fit the declared types, numbers their ranges. */
export function eventTrouble(event: TraceEvent): string | null {
  return numbersTrouble(event) ?? shapeTrouble(event) ?? planTrouble(event) ??
    (event.memory === null ? null : memoryTrouble(event.memory));
}

function numbersTrouble({ event, cause, of, timeNs, wallNs }: TraceEvent): string | null {
  if (!isCount(event) || event === 0) return `its number is ${event}, wanted a whole number from 1`;
  if (!isCount(cause) || cause >= event) return `its cause is event ${cause}, wanted an earlier one or 0`;
  if (!isCount(of) || of >= event) return `it is of event ${of}, wanted an earlier one or 0`;
  if (BigInt.asUintN(64, timeNs) !== timeNs) return `its time is ${timeNs} ns, wanted 64 bits`;
  return isCount(wallNs) ? null : `its wall time is ${wallNs} ns, wanted a whole number`;
}

/** Why what repeats from event to event cannot stand there, or null: texts, site, status, what its kind carries. */
export function shapeTrouble(event: TraceEvent): string | null {
  const { site, outcome } = event;
  const isPlaced = site === null ||
    (isCount(site.line) && isCount(site.column) && site.line < MAX_UINT && site.column < MAX_UINT);
  if (!isPlaced) return `its site is line ${site?.line}, column ${site?.column}, wanted whole numbers`;
  if (outcome?.form === "status" && !(isCount(outcome.status) && outcome.status < MAX_UINT)) {
    return `its status is ${outcome.status}, wanted 32 bits`;
  }
  const { kind, plan, ins, outs, memory } = event;
  return textTrouble(event) ??
    kindTrouble({ kind, plan, ins: ins.length, outs: outs.length, outcome, hasMemory: memory !== null });
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Why texts cannot stand in a trace, or null: one is too long. */
export function textTrouble(
  { side, actor, text, site, outcome }: Pick<TraceEvent, "side" | "actor" | "text" | "site" | "outcome">,
): string | null {
  const reason = outcome?.form === "refused" ? outcome.reason : "";
  const longest = Math.max(
    side.length,
    actor.length,
    text.length,
    reason.length,
    site?.file.length ?? 0,
    site?.function.length ?? 0,
  );
  return longest <= MAX_TEXT_LETTERS ? null : `a text has ${longest} letters, the limit is ${MAX_TEXT_LETTERS}`;
}

function planTrouble({ plan, ins, outs, outcome }: TraceEvent): string | null {
  if (ins.length > (plan?.ins.length ?? 0) || outs.length > (plan?.outs.length ?? 0)) {
    return `it has ${ins.length} ins and ${outs.length} outs, ${plan?.name ?? "no call"} has ${
      plan?.ins.length ?? 0
    } and ${plan?.outs.length ?? 0}`;
  }
  if (plan === null) return outcome?.form === "value" ? "it returns a value of no call" : null;
  for (let index = 0; index < ins.length; index += 1) {
    const param = plan.ins[index];
    const trouble = param === undefined ? null : valueTrouble(param, ins[index], "in");
    if (trouble !== null) return `${plan.name}: ${trouble}`;
  }
  for (let index = 0; index < outs.length; index += 1) {
    const param = plan.outs[index];
    const trouble = param === undefined ? null : valueTrouble(param, outs[index], "out");
    if (trouble !== null) return `${plan.name}: ${trouble}`;
  }
  return outcomeTrouble(plan, outcome);
}

function outcomeTrouble(plan: NonNullable<TraceEvent["plan"]>, outcome: TraceEvent["outcome"]): string | null {
  if (outcome?.form !== "value") return null;
  if (plan.returned === null) return `${plan.name} returns no value`;
  const trouble = valueTrouble(plan.returned, outcome.value, "out");
  return trouble === null ? null : `${plan.name}: ${trouble}`;
}

/** Why a memory delta cannot stand in a trace, or null. */
export function memoryTrouble({ page, offset, length, digest, bytes }: MemoryDelta): string | null {
  if (!isCount(page) || !isCount(offset) || !isCount(length) || !isCount(digest) || digest >= MAX_UINT) {
    return "its memory delta has numbers out of range";
  }
  if (offset + length > PAGE_BYTES) return `it writes ${length} bytes at offset ${offset}: a page has ${PAGE_BYTES}`;
  return bytes === null || bytes.length === length ? null : `it carries ${bytes.length} bytes of ${length}`;
}

/** Why an event cannot stand in a trace, or null: `eventTrouble`, and that an answer, and nothing else, is of an event. */
export function validateEvent(event: TraceEvent): string | null {
  return eventTrouble(event) ?? answerTrouble(event);
}

function answerTrouble({ kind, of }: TraceEvent): string | null {
  const isAnswer = kind === "leave" || kind === "return";
  return isAnswer === of > 0 ? null : `a ${kind} is of event ${of}`;
}

/** Asked of each event in order: why it points to one that it cannot point to, as far as that one was seen; null where it does not. */
export function pointerCheck(): (event: TraceEvent) => string | null {
  const kinds = new KindTable();
  return (event) => {
    const trouble = answerTrouble(event) ?? pointerTrouble(event, kinds);
    kinds.set(event.event, event.kind);
    return trouble;
  };
}

/** Why events cannot have what they have in common, or null: each kind carries what it carries, and no more. */
export function kindTrouble(
  { kind, plan, ins, outs, outcome, hasMemory }: Pick<TraceEvent, "kind" | "plan" | "outcome"> & {
    readonly ins: number;
    readonly outs: number;
    readonly hasMemory: boolean;
  },
): string | null {
  const carries = CARRIES[kind];
  const hasPlan = kind !== "memory" && kind !== "note";
  if (hasPlan !== (plan !== null)) return `a ${kind} has ${hasPlan ? "a" : "no"} declaration`;
  if ((kind === "memory") !== hasMemory) return `a ${kind} with${hasMemory ? "" : "out"} a memory delta`;
  if (ins !== (carries.ins ? plan?.ins.length ?? 0 : 0)) return `a ${kind} of ${plan?.name} has ${ins} ins`;
  if (outs > 0 && !carries.outs) return `a ${kind} has ${outs} outs`;
  if (carries.outcome !== (outcome !== null)) return `a ${kind} has ${outcome === null ? "no" : "an"} outcome`;
  const isOfCallback = kind === "callback" || kind === "return";
  return plan === null || isOfCallback === plan.isCallback ? null : `a ${kind} of ${plan.name}`;
}

/**
 * Problems of a trace's events, in order: numbers follow each other but for stated losses and what was left out, and
 * point to fitting kinds. Left out, the header is that of a whole run.
 */
export function* validate(
  trace: Pick<Trace, "events" | "losses"> & Partial<Pick<Trace, "header">>,
): IterableIterator<TraceProblem> {
  const kinds = new KindTable();
  const { startsAfter = 0, leftOut = [] } = trace.header ?? {};
  let expected = startsAfter + 1;
  for (const event of trace.events()) {
    const order = leftOut.length > 0 && event.event > expected ? null : orderTrouble(event, expected, trace.losses);
    const message = validateEvent(event) ?? order ?? pointerTrouble(event, kinds);
    if (message !== null) yield { event: event.event, message };
    kinds.set(event.event, event.kind);
    expected = event.event + 1;
  }
}

function orderTrouble({ event }: TraceEvent, expected: number, losses: readonly Loss[]): string | null {
  if (event === expected) return null;
  if (event < expected) return `it follows event ${expected - 1}`;
  let missing = expected;
  for (const { firstEvent, lastEvent } of [...losses].sort((left, right) => left.firstEvent - right.firstEvent)) {
    if (firstEvent > 0 && firstEvent <= missing && lastEvent >= missing) missing = lastEvent + 1;
  }
  return missing >= event ? null : `events ${missing} to ${event - 1} are missing, and no loss says so`;
}

const ANSWERED: Readonly<Partial<Record<EventKind, EventKind>>> = { leave: "enter", return: "callback" };

function pointerTrouble({ kind, of, cause }: TraceEvent, kinds: KindTable): string | null {
  const asked = ANSWERED[kind];
  const found = kinds.get(of);
  if (asked !== undefined && found !== null && found !== asked) return `a ${kind} of event ${of}, which is a ${found}`;
  const maker = kinds.get(cause);
  return maker === "memory" || maker === "note" ? `its cause is event ${cause}, which is a ${maker}` : null;
}

/** Kinds of the events seen, a byte each, in pages: numbers may lie far apart. */
class KindTable {
  readonly #pages = new Map<number, Uint8Array>();

  get(event: number): EventKind | null {
    const page = this.#pages.get(Math.floor(event / PAGE_EVENTS));
    return page === undefined ? null : EVENT_KINDS[(page[event % PAGE_EVENTS] ?? 0) - 1] ?? null;
  }

  set(event: number, kind: EventKind): void {
    const number = Math.floor(event / PAGE_EVENTS);
    const page = this.#pages.get(number) ?? this.#addPage(number);
    if (page !== null) page[event % PAGE_EVENTS] = EVENT_KINDS.indexOf(kind) + 1;
  }

  #addPage(number: number): Uint8Array | null {
    if (this.#pages.size >= MAX_PAGES) return null;
    const page = new Uint8Array(PAGE_EVENTS);
    this.#pages.set(number, page);
    return page;
  }
}
