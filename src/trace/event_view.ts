// An event to be looked at and not kept: a walk shows all of them through one view, and what nobody asks for is never made.
// Whoever wants to keep one says so. It must not know where events stand.

import { isRef, type Outcome, type Ref, type Value } from "../api/mod.ts";
import type { TraceEvent } from "./event.ts";

/** An event while a visitor looks at it; afterwards it shows another one. Places are those of `plan.ins` and `plan.outs`. */
export interface EventView extends Omit<TraceEvent, "wallNs" | "memory" | "text"> {
  /** The in value at a place, undefined where there is none; for one of several it is dearer than `ins`. */
  inValue(place: number): Value | undefined;
  /** As `inValue`, of the outs. */
  outValue(place: number): Value | undefined;
  /** The in value at a place as a number: rounded above 2^53, 0 where there is none. */
  inNumber(place: number): number;
  /** The number of the object at a place of the ins, -1: none. */
  inObject(place: number): number;
  /** The object at a place of the ins, null: none. */
  inRef(place: number): Ref | null;
  /** As `inNumber`, of the outs. */
  outNumber(place: number): number;
  /** As `inObject`, of the outs. */
  outObject(place: number): number;
  /** The value of that object's handle; 0 where there is none. */
  outHandle(place: number): number;
  /** As `inRef`, of the outs. */
  outRef(place: number): Ref | null;
  /** The event, to be kept. */
  keep(): TraceEvent;
}

/** The view of an event that is kept anyway. */
export class KeptEvent implements EventView {
  #event: TraceEvent;

  constructor(event: TraceEvent) {
    this.#event = event;
  }

  /** Shows another event. */
  show(event: TraceEvent): void {
    this.#event = event;
  }

  get event(): number {
    return this.#event.event;
  }

  get kind(): TraceEvent["kind"] {
    return this.#event.kind;
  }

  get plan(): TraceEvent["plan"] {
    return this.#event.plan;
  }

  get side(): string {
    return this.#event.side;
  }

  get actor(): string {
    return this.#event.actor;
  }

  get level(): TraceEvent["level"] {
    return this.#event.level;
  }

  get cause(): number {
    return this.#event.cause;
  }

  get of(): number {
    return this.#event.of;
  }

  get timeNs(): bigint {
    return this.#event.timeNs;
  }

  get site(): TraceEvent["site"] {
    return this.#event.site;
  }

  get ins(): readonly Value[] {
    return this.#event.ins;
  }

  get outs(): readonly Value[] {
    return this.#event.outs;
  }

  get outcome(): Outcome | null {
    return this.#event.outcome;
  }

  inValue(place: number): Value | undefined {
    return this.#event.ins[place];
  }

  outValue(place: number): Value | undefined {
    return this.#event.outs[place];
  }

  inNumber(place: number): number {
    return numberOf(this.#event.ins[place]);
  }

  inObject(place: number): number {
    return this.inRef(place)?.number ?? -1;
  }

  inRef(place: number): Ref | null {
    return refOf(this.#event.ins[place]);
  }

  outNumber(place: number): number {
    return numberOf(this.#event.outs[place]);
  }

  outObject(place: number): number {
    return this.outRef(place)?.number ?? -1;
  }

  outHandle(place: number): number {
    return this.outRef(place)?.handle ?? 0;
  }

  outRef(place: number): Ref | null {
    return refOf(this.#event.outs[place]);
  }

  keep(): TraceEvent {
    return this.#event;
  }
}

function numberOf(value: Value | undefined): number {
  return typeof value === "number" || typeof value === "bigint" ? Number(value) : 0;
}

function refOf(value: Value | undefined): Ref | null {
  return isRef(value) ? value : null;
}
