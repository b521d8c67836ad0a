// Calls that wait: which are tried again after an input, in which order, and what becomes of them. `waiters.ts` says which are
// woken; what a call does when it is tried is the dispatch's. It must not know a particular call.

import { type CallPlan, findPlan } from "../api/mod.ts";
import { runDueWork } from "./background.ts";
import type { Reply, StillWaits } from "./behaviour.ts";
import { isInGuest } from "./ends.ts";
import type { ParkedCall, World } from "./world.ts";

type Blocked = Extract<Reply, { readonly blocked: true }>;

/** The calls of a world that wait. */
export class Parking {
  readonly #world: World;
  readonly #perform: (call: ParkedCall, plan: CallPlan) => Reply;
  /** Whether a call still waits; one without is tried. */
  readonly #stillWaits = new WeakMap<ParkedCall, StillWaits>();

  constructor(world: World, perform: (call: ParkedCall, plan: CallPlan) => Reply) {
    this.#world = world;
    this.#perform = perform;
  }

  /** A call that was just made waits. */
  park(call: ParkedCall, reply: Blocked): void {
    this.#world.parked.push(call);
    this.#wait(call, reply);
  }

  /** Tries calls that were woken, oldest first, until none returns; `justParked` was tried just now. */
  retry(justParked: number): void {
    const { waiters } = this.#world;
    const later: number[] = [];
    let last = 0;
    waiters.wakeAlways();
    for (let event = waiters.take(); event !== undefined; event = waiters.take()) {
      if (event === justParked || event < last) later.push(event);
      else if (!this.#try(event)) last = event;
      else {
        last = 0;
        waiters.wakeAlways();
        for (const each of later.splice(0)) waiters.wakeCall(each);
      }
    }
    for (const event of later) waiters.wakeCall(event);
  }

  /** Calls that would go on if they were tried now, by their events. */
  missedWakes(): readonly number[] {
    const { parked } = this.#world;
    return parked.filter((call) => !this.#isAsleep(call) && this.#stillWaits.get(call)?.() === false)
      .map(({ event }) => event);
  }

  /** Whether the call returned. What a saved guest waits for is tried when the guest goes on. */
  #try(event: number): boolean {
    const { parked, waiters, outputs } = this.#world;
    const place = placeOf(parked, event);
    const call = parked[place];
    const plan = call === undefined ? undefined : findPlan(call.name);
    if (call === undefined || call.event !== event || plan === undefined) {
      waiters.remove(event);
      return false;
    }
    if (this.#isAsleep(call) || this.#stillWaits.get(call)?.() === true) return false;
    const reply = this.#perform(call, plan);
    if (reply.blocked) {
      this.#wait(call, reply);
      return false;
    }
    parked.splice(place, 1);
    waiters.remove(event);
    runDueWork(this.#world);
    outputs.push({ form: "leave", event, outcome: reply.outcome, outs: reply.outs });
    return true;
  }

  #isAsleep({ side }: ParkedCall): boolean {
    return this.#world.wire.isVmSaved && isInGuest(side);
  }

  #wait(call: ParkedCall, { on, stillWaits }: Blocked): void {
    this.#world.waiters.add(call.event, on);
    if (stillWaits !== null) this.#stillWaits.set(call, stillWaits);
  }
}

/** Where the call of an event stands among those that wait, which are in the order of their events; or would stand. */
function placeOf(parked: readonly ParkedCall[], event: number): number {
  let [low, high] = [0, parked.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((parked[middle]?.event ?? event) < event) low = middle + 1;
    else high = middle;
  }
  return low;
}
