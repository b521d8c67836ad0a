// Picks events of a trace: by position, call, side, object. It works on whole events, before anyone lays them out.
// It must not know how filters are written on a command line.

import {
  baseSide,
  type CallPlan,
  canonicalSide,
  type Level,
  matchesGlob,
  type ObjectKind,
  objectKind,
  type ObjectReference,
  type ParamPlan,
  parseObject,
  refsIn,
  type Value,
} from "../api/mod.ts";
import type { Selection, TraceEvent } from "./event.ts";

/** Which events; what is left out admits all. */
export interface EventQuery {
  /** Event numbers, both included. */
  readonly range?: { readonly from?: number; readonly to?: number };
  /** A glob over names of calls and callbacks: `*` any letters, `?` one. */
  readonly call?: string;
  /** A side; without a process number it admits every process of that side. */
  readonly side?: string;
  /** Layers, and the memory deltas that their events made. */
  readonly levels?: readonly Level[];
  readonly object?: ObjectQuery;
}

/** An object, or with a number of null every object of a kind. */
export type ObjectQuery = ObjectReference | { readonly kind: ObjectKind; readonly number: null };

/**
 * A filter for events given in trace order. An object's filter admits events that mention it, and the leaves, returns
 * memory deltas and messages that they caused: it holds one number for each call and callback admitted so far.
 */
export function eventFilter(query: EventQuery): (event: TraceEvent) => boolean {
  const { range, call, side, levels, object } = query;
  const parts: ((event: TraceEvent) => boolean)[] = [];
  if (range !== undefined) parts.push(rangeFilter(range));
  if (call !== undefined) parts.push(({ plan }) => plan !== null && matchesGlob(call, plan.name));
  if (side !== undefined) parts.push((event) => matchesSide(side, event.side));
  // Asked about every event, also those that the other parts refuse: what these caused may pass.
  const mentions = object === undefined ? null : objectFilter(object);
  const isOfLevel = levels === undefined ? null : levelFilter(levels);
  return (event) => {
    const mentioned = mentions === null || mentions(event);
    const isOf = isOfLevel === null || isOfLevel(event);
    return mentioned && isOf && parts.every((part) => part(event));
  };
}

/**
 * A filter for the events of a run as they happen: what each list that is not empty admits. A leave and a return go with
 * their enter and callback, a memory delta with the input that made it; an object's filter also keeps what waits and may
 * answer with an object of that kind. It holds one number for each call and callback that is under way. `RangeError` for
 * what names no object.
 */
export function selectionFilter(selection: Selection): (event: TraceEvent) => boolean {
  const { range, calls, levels, sides, objects } = selection;
  const groups = [
    range === null ? [] : [rangeFilter({ from: range.from, to: range.to ?? Infinity })],
    calls.map(callFilter),
    levels.map((wanted) => ({ level }: TraceEvent) => level === wanted),
    sides.map((side) => (event: TraceEvent) => matchesSide(side, event.side)),
    objects.map(involves),
  ].filter((group) => group.length > 0);
  const underWay = new Set<number>();
  let keptInput = 0;
  return (event) => {
    const { kind, of, cause } = event;
    if (kind === "memory") return cause === keptInput;
    const isEnd = kind === "leave" || kind === "return";
    const isKept = isEnd ? underWay.delete(of) : groups.every((group) => group.some((admits) => admits(event)));
    if (isKept && (kind === "enter" || kind === "callback")) underWay.add(event.event);
    if (isKept && kind !== "leave" && event.level !== "wire") keptInput = event.event;
    return isKept;
  };
}

/** What a selection leaves out, in words; empty where it keeps everything. */
export function leftOutBy({ range, calls, levels, sides, objects }: Selection): readonly string[] {
  const texts: (string | false)[] = [
    range !== null && range.from > 1 && `events before @${range.from}`,
    range !== null && range.to !== null && `events after @${range.to}`,
    calls.length > 0 && `calls other than ${calls.join(", ")}`,
    levels.length > 0 && `levels other than ${levels.join(", ")}`,
    sides.length > 0 && `what other sides did than ${sides.join(", ")}`,
    objects.length > 0 && `what does not name ${objects.join(", ")}`,
  ];
  return texts.filter((text) => text !== false);
}

/** Events of these levels, and the memory deltas that their inputs made: these come right behind. */
function levelFilter(levels: readonly Level[]): (event: TraceEvent) => boolean {
  let admittedInput = 0;
  return ({ event, kind, level, cause }) => {
    if (kind === "memory") return cause === admittedInput;
    const isOf = levels.includes(level);
    if (isOf && kind !== "leave" && level !== "wire") admittedInput = event;
    return isOf;
  };
}

/** Names are matched once for each plan. */
function callFilter(glob: string): (event: TraceEvent) => boolean {
  const known = new Map<CallPlan, boolean>();
  return ({ plan }) => {
    if (plan === null) return false;
    const matches = known.get(plan) ?? matchesGlob(glob, plan.name);
    known.set(plan, matches);
    return matches;
  };
}

function involves(text: string): (event: TraceEvent) => boolean {
  const [word = "", number] = text.split("#");
  const kind = objectKind(word);
  const object = parseObject(text) ?? (kind === null || number !== undefined ? null : { kind, number: null });
  if (object === null) throw new RangeError(`Cannot select "${text}": name an object as gpadl#7, or its kind`);
  return (event) => mentionsObject(event, object) || (event.kind === "enter" && mayAnswer(event.plan, object.kind));
}

function mayAnswer(plan: CallPlan | null, kind: ObjectKind): boolean {
  return plan !== null && (plan.returned?.kind === kind || plan.outs.some((out) => mayHold(out, kind)));
}

function mayHold({ kind, members }: ParamPlan, wanted: ObjectKind): boolean {
  return kind === wanted || members.some((member) => mayHold(member, wanted));
}

function rangeFilter({ from = 1, to = Infinity }: NonNullable<EventQuery["range"]>): (event: TraceEvent) => boolean {
  if (from > to) throw new RangeError(`Cannot filter @${from}-@${to}: the first event is behind the last`);
  return ({ event }) => event >= from && event <= to;
}

function matchesSide(wanted: string, side: string): boolean {
  if (wanted.includes("#")) return canonicalSide(wanted) === canonicalSide(side);
  return side === wanted || baseSide(side) === wanted;
}

function objectFilter(object: ObjectQuery): (event: TraceEvent) => boolean {
  const admitted = new Set<number>();
  return (event) => {
    const caused = event.kind === "leave" || event.kind === "return" || isOutput(event);
    const matches = mentionsObject(event, object) ||
      caused && (admitted.has(event.of) || admitted.has(event.cause));
    if (matches && !isOutput(event) && event.kind !== "note") admitted.add(event.event);
    return matches;
  };
}

/** What nothing else is ever of, or caused by. */
function isOutput({ kind, level }: TraceEvent): boolean {
  return kind === "memory" || level === "wire";
}

/** Whether an event's arguments, outputs or returned value name the object. */
export function mentionsObject(event: TraceEvent, object: ObjectQuery): boolean {
  const { outcome } = event;
  return event.ins.some((value) => namesObject(value, object)) ||
    event.outs.some((value) => namesObject(value, object)) ||
    outcome?.form === "value" && namesObject(outcome.value, object);
}

function namesObject(value: Value, { kind, number }: ObjectQuery): boolean {
  return refsIn(value).some((ref) => ref.kind === kind && (number === null || ref.number === number));
}
