// Chooses what a simulation does next, from the declarations: a call with its arguments, a callback to begin or to end.
// Each seed switches some calls off and gives the others weights of its own, so that seeds differ in what they stress.

import {
  type CallName,
  type CallPlan,
  CALLS,
  type Endpoint,
  findPlan,
  type Outcome,
  printObject,
  type Ref,
  refsIn,
  sidesOf,
  STATUS,
  type Value,
} from "../../src/api/mod.ts";
import { Random, type RunningCallback } from "../../src/driver/mod.ts";
import type { World } from "../../src/engine/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";
import { HARDLY, type SimulatedWorld } from "./simulated_world.ts";
import type { Simulation } from "./simulation.ts";
import type { Step } from "./step.ts";
import type { Material } from "./words.ts";

/** Objects of a kind above which making more is rare. */
const PLENTY = 6;
const ATTEMPTS = 12;
const SEEN_KEPT = 60;
const BYTES_KEPT = 8;
const DRAIN_STEPS = 400;

/** Chooses steps for a simulation; the same seed and the same engine give the same steps. */
export class Chooser {
  readonly #simulation: Simulation;
  readonly #about: SimulatedWorld;
  readonly #random: Random;
  readonly #plans: readonly (readonly [plan: CallPlan, weight: number])[];
  readonly #seen: Ref[] = [];
  readonly #given = new Set<string>();
  readonly #bytes: { readonly given: Uint8Array[]; readonly returned: Uint8Array[] } = { given: [], returned: [] };
  readonly #careless: number;
  #known = 0;
  #place = 0;
  #drained = 0;

  constructor(simulation: Simulation, seed: number) {
    this.#simulation = simulation;
    this.#about = simulation.about;
    this.#random = new Random(seed);
    this.#careless = this.#random.pick([4, 8, 8, 16, 64]);
    this.#plans = Object.keys(CALLS).flatMap((name) => findPlan(name) ?? [])
      .filter((plan) => this.#about.isIn(plan) && this.#isOn(plan.name))
      .map((plan) => [plan, (this.#about.rates[plan.name] ?? RATE) * this.#random.pick([1, 1, 2, 4])] as const);
  }

  /** The next step. */
  next(): Step {
    this.#lookAround();
    const ways = [() => this.#return(), () => this.#deliver(), () => this.#call(), () => this.#call()];
    return this.#random.pick(ways)() ?? this.#call() ?? this.#time();
  }

  /** Steps that let everything come to rest; null: it has, as far as it can. */
  drain(): Step | null {
    this.#lookAround();
    const { world } = this.#simulation.session.engine;
    const [side] = [...world.irqls.keys()];
    this.#drained += 1;
    if (this.#drained > DRAIN_STEPS) return null;
    return side === undefined ? this.#deliver() ?? this.#return() ?? this.#settle() : this.#lower(side);
  }

  #settle(): Step | null {
    const call = this.#about.settle?.(this.#simulation.session.engine.world, this.#drained) ?? null;
    const plan = call === null ? undefined : findPlan(call.name);
    if (call === null || plan === undefined) return null;
    return { place: this.#take(), form: "call", plan, side: call.side, ins: call.ins, inside: -1 };
  }

  #isOn(name: string): boolean {
    if (this.#about.always.has(name)) return true;
    return this.#about.seldom.has(name) ? this.#random.below(4) === 0 : this.#random.below(8) > 0;
  }

  #lower(side: string): Step {
    return { ...this.#machineCall("SetIrql"), ins: [side, 0] };
  }

  #time(): Step {
    return { ...this.#machineCall("AdvanceTime"), ins: [1n] };
  }

  #machineCall(name: CallName): Extract<Step, { form: "call" }> {
    const plan = findPlan(name);
    if (plan === undefined) throw new TypeError(`Cannot call ${name}: it is not declared`);
    return { place: this.#take(), form: "call", plan, side: "machine", ins: [], inside: -1 };
  }

  #take(): number {
    this.#place += 1;
    return this.#place - 1;
  }

  #call(): Step | null {
    const isCareless = this.#random.below(this.#careless) === 0;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const plan = this.#plan();
      const side = this.#sideFor(plan.declaration.endpoint, isCareless);
      const inside = this.#insideFor(plan, side);
      const near = this.#simulation.running.get(inside)?.callback.ins ?? [];
      const ins = this.#about.argumentsFor({ plan, side, isCareless, near }, this.#material());
      if (ins !== null) return { place: this.#take(), form: "call", plan, side, ins, inside };
    }
    return null;
  }

  #material(): Material {
    const { world } = this.#simulation.session.engine;
    const isKnown = (object: Ref) => this.#given.has(printObject(object));
    return { world, random: this.#random, seen: this.#seen, isKnown, bytes: this.#bytes };
  }

  #plan(): CallPlan {
    const { world } = this.#simulation.session.engine;
    const weighted = this.#plans.map(([plan, rate]) => [plan, rate * this.#need(plan, world)] as const);
    let left = this.#random.below(1 << 20) / (1 << 20) * weighted.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [plan, weight] of weighted) {
      left -= weight;
      if (left < 0) return plan;
    }
    return this.#random.pick(weighted)[0];
  }

  #sideFor(endpoint: Endpoint, isCareless: boolean): string {
    const sides: readonly string[] = sidesOf(endpoint);
    const isWrong = isCareless && this.#random.below(6) === 0 && sides.some((side) => ENDS.includes(side));
    if (isWrong) return this.#random.pick(ENDS);
    return this.#about.sideFor?.(sides, this.#material()) ?? this.#random.pick(sides);
  }

  #need(plan: CallPlan, world: World): number {
    const place = this.#about.places.get(plan.name);
    if (place !== undefined && !world.running.some((each) => each.name === place)) return HARDLY;
    const asked = this.#about.need(plan, world);
    return asked === HARDLY ? HARDLY : asked * countNeed(plan, world);
  }

  /** A call that waits is seldom made inside a callback: mostly that is a hang. */
  #insideFor(plan: CallPlan, side: string): number {
    const callbacks = [...this.#simulation.running].filter(([, running]) =>
      running.callback.side === side && !this.#simulation.isBlockedIn(running.event)
    );
    const place = this.#about.places.get(plan.name);
    const fitting = place === undefined ? callbacks : callbacks.filter(([, { callback }]) => callback.name === place);
    const isLikely = place !== undefined || this.#random.below(plan.declaration.blocks === true ? 12 : 2) === 0;
    return fitting.length > 0 && isLikely ? this.#random.pick(fitting)[0] : -1;
  }

  #deliver(): Step | null {
    const deliverable = this.#simulation.session.deliverable();
    if (deliverable.length === 0) return null;
    const { name, ins } = this.#random.pick(deliverable);
    const [subject] = refsIn(ins[0]);
    return { place: this.#take(), form: "deliver", name, subject: subject ?? null };
  }

  #return(): Step | null {
    const free = [...this.#simulation.running].filter(([, { event }]) => !this.#simulation.isBlockedIn(event));
    if (free.length === 0) return null;
    const [of, callback] = this.#random.pick(free);
    return { place: this.#take(), form: "return", of, ...this.#answer(callback) };
  }

  #answer(
    { plan, callback: { ins } }: RunningCallback,
  ): { readonly outcome: Outcome; readonly outs: readonly Value[] } {
    if (plan.declaration.returns !== "status") return { outcome: { form: "void" }, outs: [] };
    const isFailing = this.#random.below(10) === 0;
    const status = isFailing ? STATUS.STATUS_UNSUCCESSFUL : STATUS.STATUS_SUCCESS;
    const room = ins.at(-1);
    if (plan.outs.length === 0 || typeof room !== "number") return { outcome: { form: "status", status }, outs: [] };
    if (room === 0 && this.#random.below(2) === 0) {
      return { outcome: { form: "status", status: STATUS.STATUS_BUFFER_TOO_SMALL }, outs: [new Uint8Array(0), 24] };
    }
    const length = this.#random.pick([room, room, room, room + 1, 0]);
    return { outcome: { form: "status", status }, outs: [new Uint8Array(length), length] };
  }

  /** Objects and bytes that events brought since the last step. */
  #lookAround(): void {
    const { events } = this.#simulation;
    for (; this.#known < events.length; this.#known += 1) {
      const event = events[this.#known];
      if (event !== undefined) this.#see(event);
    }
    this.#seen.splice(0, this.#seen.length - SEEN_KEPT);
    for (const pool of Object.values(this.#bytes)) pool.splice(0, pool.length - BYTES_KEPT);
  }

  #see({ kind, ins, outs, outcome }: TraceEvent): void {
    const returned = outcome?.form === "value" ? [outcome.value] : [];
    for (const value of [...(kind === "callback" ? ins : []), ...outs, ...returned]) {
      for (const ref of refsIn(value)) {
        this.#seen.push(ref);
        this.#given.add(printObject(ref));
      }
      if (!(value instanceof Uint8Array) || value.length === 0) continue;
      (kind === "callback" ? this.#bytes.given : this.#bytes.returned).push(value);
    }
  }
}

const ENDS: readonly string[] = ["client", "server"];
const RATE = 0.2;

/** More of a kind is made where there are few, and given back where there are many. */
function countNeed({ effects }: CallPlan, world: World): number {
  for (const { verb, param } of effects) {
    if (param.kind === null || (verb !== "create" && verb !== "destroy")) continue;
    const count = world.liveCountOf(param.kind);
    if (verb === "create" && count >= PLENTY) return HARDLY;
    if (verb === "destroy" && param.kind !== "channel") return count >= PLENTY ? 3 : 0.6;
  }
  return 1;
}
