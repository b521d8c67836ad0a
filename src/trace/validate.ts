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
/** Events whose kind is kept, a byte each: what points to later ones is not checked. */
const MAX_TRACKED = 2 ** 27;
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

/** Why what repeats from event to event cannot stand there, or null: texts, site, status. */
export function shapeTrouble(event: TraceEvent): string | null {
  const { site, outcome } = event;
  const isPlaced = site === null ||
    (isCount(site.line) && isCount(site.column) && site.line < MAX_UINT && site.column < MAX_UINT);
  if (!isPlaced) return `its site is line ${site?.line}, column ${site?.column}, wanted whole numbers`;
  if (outcome?.form === "status" && !(isCount(outcome.status) && outcome.status < MAX_UINT)) {
    return `its status is ${outcome.status}, wanted 32 bits`;
  }
  return textTrouble(event);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function textTrouble({ side, actor, text, site, outcome }: TraceEvent): string | null {
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

/** Why an event does not do what its kind does, or null: stricter than `eventTrouble`, which bytes can hold. */
export function validateEvent(event: TraceEvent): string | null {
  const { kind, plan, ins, outs, outcome, memory } = event;
  const carries = CARRIES[kind];
  const hasPlan = kind !== "memory" && kind !== "note";
  if (hasPlan !== (plan !== null)) return `a ${kind} has ${hasPlan ? "a" : "no"} declaration`;
  if ((kind === "memory") !== (memory !== null)) return `a ${kind} with${memory === null ? "out" : ""} a memory delta`;
  if (ins.length !== (carries.ins ? plan?.ins.length ?? 0 : 0)) {
    return `a ${kind} of ${plan?.name} has ${ins.length} ins`;
  }
  if (outs.length > 0 && !carries.outs) return `a ${kind} has ${outs.length} outs`;
  if (carries.outcome !== (outcome !== null)) return `a ${kind} has ${outcome === null ? "no" : "an"} outcome`;
  const isAnswer = kind === "leave" || kind === "return";
  if (isAnswer !== event.of > 0) return `a ${kind} is of event ${event.of}`;
  if (plan !== null && (kind === "callback" || kind === "return") !== plan.isCallback) {
    return `a ${kind} of ${plan.name}`;
  }
  return eventTrouble(event);
}

/** Problems of a trace's events, in order: numbers follow each other but for stated losses, and point to fitting kinds. */
export function* validate(trace: Pick<Trace, "events" | "losses">): IterableIterator<TraceProblem> {
  const kinds = new KindTable();
  let expected = 1;
  for (const event of trace.events()) {
    const message = validateEvent(event) ?? orderTrouble(event, expected, trace.losses) ?? pointerTrouble(event, kinds);
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

/** Kinds of the events seen, a byte each. */
class KindTable {
  #kinds = new Uint8Array(1024);

  get(event: number): EventKind | null {
    return EVENT_KINDS[(this.#kinds[event] ?? 0) - 1] ?? null;
  }

  set(event: number, kind: EventKind): void {
    if (event >= MAX_TRACKED) return;
    if (event >= this.#kinds.length) {
      const grown = new Uint8Array(Math.max(2 * this.#kinds.length, event + 1));
      grown.set(this.#kinds);
      this.#kinds = grown;
    }
    this.#kinds[event] = EVENT_KINDS.indexOf(kind) + 1;
  }
}
