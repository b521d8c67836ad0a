// Picks events of a trace: by position, call, side, object. It works on whole events, before anyone lays them out.
// It must not know how filters are written on a command line.

import {
  baseSide,
  canonicalSide,
  matchesGlob,
  type ObjectKind,
  type ObjectReference,
  refsIn,
  type Value,
} from "../api/mod.ts";
import type { TraceEvent } from "./event.ts";

/** Which events; what is left out admits all. */
export interface EventQuery {
  /** Event numbers, both included. */
  readonly range?: { readonly from?: number; readonly to?: number };
  /** A glob over names of calls and callbacks: `*` any letters, `?` one. */
  readonly call?: string;
  /** A side; without a process number it admits every process of that side. */
  readonly side?: string;
  readonly object?: ObjectQuery;
}

/** An object, or with a number of null every object of a kind. */
export type ObjectQuery = ObjectReference | { readonly kind: ObjectKind; readonly number: null };

/**
 * A filter for events given in trace order. An object's filter admits events that mention it, and the leaves, returns
 * and memory deltas that they caused: it holds one number for each call and callback admitted so far.
 */
export function eventFilter(query: EventQuery): (event: TraceEvent) => boolean {
  const { range, call, side, object } = query;
  const parts: ((event: TraceEvent) => boolean)[] = [];
  if (range !== undefined) parts.push(rangeFilter(range));
  if (call !== undefined) parts.push(({ plan }) => plan !== null && matchesGlob(call, plan.name));
  if (side !== undefined) parts.push((event) => matchesSide(side, event.side));
  // Asked about every event, also those that the other parts refuse: what these caused may pass.
  const mentions = object === undefined ? null : objectFilter(object);
  return (event) => {
    const mentioned = mentions === null || mentions(event);
    return mentioned && parts.every((part) => part(event));
  };
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
    const caused = event.kind === "leave" || event.kind === "return" || event.kind === "memory";
    const matches = mentionsObject(event, object) ||
      caused && (admitted.has(event.of) || admitted.has(event.cause));
    if (matches && event.kind !== "memory" && event.kind !== "note") admitted.add(event.event);
    return matches;
  };
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
