// Runs a program's actors one step at a time: whoever can go on is a candidate, the seed picks one.
// Every wait of an actor is the scheduler's, so one seed is one run. It knows no call and no format.

import {
  type CallbackFunction,
  type CallPlan,
  hasSucceeded,
  isRef,
  type Outcome,
  type Ref,
  sameObject,
  STATUS,
  type Value,
  VOID,
} from "../api/mod.ts";
import type { PendingCallback } from "../engine/mod.ts";
import type { Site } from "../trace/mod.ts";
import { captureSite, type Method } from "./call_site.ts";
import type { CallArguments } from "./arguments.ts";
import { answerToProgram, callbackArguments, takesHandlers } from "./arguments.ts";
import { Handlers } from "./handlers.ts";
import { Random } from "./random.ts";
import type { Answer, RunningCallback, Session } from "./session.ts";

/** How often a resumed actor that waits for something else too may turn before others go on. */
const TURNS = 256;
/** What one turn waits for: it is over at once, and what was due before goes on first. */
const TURN = Promise.resolve();

/** A thread of a program. */
export interface Actor {
  readonly name: string;
  /** The callback event that it runs, 0: a thread of the program's own. */
  readonly insideCallback: number;
  /** What it asked for and has not got, oldest first. */
  readonly waits: string[];
  /** Counts up: whoever parked earlier has the lower one. */
  parkedAt: number;
  isRunning: boolean;
  isFinished: boolean;
}

/** When a call's site is taken. */
export interface SitePolicy {
  /** Whether to take the site of calls of this plan. */
  wants(plan: CallPlan): boolean;
  /** The folder URL that sites are relative to. */
  readonly folder: string;
}

/** A call that an actor asked for, and the two ends of the promise that the program holds. */
interface Request {
  readonly actor: Actor;
  /** Who waits for it. */
  readonly waiter: Actor;
  readonly what: string;
  readonly plan: CallPlan;
  readonly side: string;
  readonly args: CallArguments;
  readonly site: Site | null;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** A call that was made and has not returned. */
interface Blocked {
  readonly request: Request;
  readonly ins: readonly Value[];
}

/** What a run came to. */
export interface RunEnd {
  /** Actors that never went on, with what each waits for. */
  readonly stuck: readonly string[];
  /** What the program threw, undefined: nothing. */
  readonly thrown: unknown;
  readonly hasThrown: boolean;
  /** Why the run was stopped from outside, null: it was not. */
  readonly stopped: string | null;
}

/** The scheduler of one run. What can happen next: a call that was asked for, a wait that is over, a callback that is due. */
export class Scheduler {
  readonly random: Random;
  readonly session: Session;
  readonly #sites: SitePolicy;
  readonly #requests: Request[] = [];
  readonly #resumes: (() => void)[] = [];
  readonly #blocked = new Map<number, Blocked>();
  /** Actors that have not finished, or wait for something. */
  readonly #actors = new Set<Actor>();
  readonly #handlers: Handlers;
  readonly #invoke: (handler: CallbackFunction, args: object, actor: Actor) => unknown;
  #running = 0;
  #parks = 0;
  /** Who ran last: the one that runs, unless it waits for what is not the scheduler's. */
  #current: Actor | null = null;
  #idle: () => void = () => {};
  #thrown: { readonly error: unknown } | null = null;
  #stopped: string | null = null;

  constructor(options: {
    readonly session: Session;
    readonly seed: number;
    readonly sites: SitePolicy;
    /** Calls a program's callback handler with its arguments, on an actor of its own. */
    readonly invoke: (handler: CallbackFunction, args: object, actor: Actor) => unknown;
  }) {
    this.session = options.session;
    this.random = new Random(options.seed);
    this.#sites = options.sites;
    this.#invoke = options.invoke;
    this.#handlers = new Handlers((object) => isCallable(this.session, object));
    this.session.onLeave = (event, answer) => this.#left(event, answer);
  }

  /** Starts a thread; its body begins when the scheduler first picks it. */
  spawn(name: string, body: (actor: Actor) => unknown): Actor {
    const actor = this.#newActor(name, 0);
    this.#resumeLater(() => this.#start(actor, () => body(actor)));
    return actor;
  }

  /** An actor's call: resolves with what the call answered. */
  call(
    actor: Actor,
    { plan, side, args, method }: {
      readonly plan: CallPlan;
      readonly side: string;
      readonly args: CallArguments;
      readonly method: Method;
    },
  ): Promise<unknown> {
    const site = this.#sites.wants(plan) ? captureSite(method, this.#sites.folder) : null;
    const waiter = this.#waiterFor(actor);
    const what = `${side} ${plan.name}`;
    return new Promise((resolve, reject) => {
      this.#park(waiter, what);
      this.#requests.push({ actor, waiter, what, plan, side, args, site, resolve, reject });
      this.#idle();
    });
  }

  /** An actor's wait for another actor: `resume` is called with the value when it is over. */
  wait<T>(actor: Actor, what: string, subscribe: (resume: (value: T) => void) => void): Promise<T> {
    const waiter = this.#waiterFor(actor);
    return new Promise((resolve) => {
      this.#park(waiter, what);
      subscribe((value) => this.#resumeLater(() => this.#wake(waiter, what, resolve, value)));
    });
  }

  /** Asks the run to stop before its next step, also where an actor waits for something that is not the scheduler's. */
  stop(reason: string): void {
    this.#stopped = reason;
    this.#idle();
  }

  /** Ends the run as if an actor had thrown: what the program threw where no actor stands, in a timer or a lost promise. */
  fail(error: unknown): void {
    this.#thrown ??= { error };
    this.#idle();
  }

  /** Steps until nobody can go on; `pause` is awaited now and then so that the host can be heard. */
  async run(options: { readonly pauseEvery: number; readonly pause: () => Promise<void> }): Promise<RunEnd> {
    for (let step = 1; this.#stopped === null && this.#thrown === null; step += 1) {
      if (!this.#step()) break;
      for (let turn = 0; turn < TURNS && this.#running > 0; turn += 1) await TURN;
      if (this.#running > 0) await this.#untilOthersCan();
      // Whoever parked just now may ask for more in the same turn.
      await TURN;
      if (step % options.pauseEvery === 0) await options.pause();
    }
    // What the program left behind, a promise that nobody caught, is heard before the run is called ended.
    await options.pause();
    return {
      stuck: this.#stuck(),
      thrown: this.#thrown?.error,
      hasThrown: this.#thrown !== null,
      stopped: this.#stopped,
    };
  }

  /** One of the things that can happen; false where there is none. Only a choice draws a random number. */
  #step(): boolean {
    const deliverable = this.session.deliverable();
    const count = this.#requests.length + this.#resumes.length + deliverable.length;
    if (count === 0) return false;
    try {
      this.#take(count === 1 ? 0 : this.random.below(count), deliverable);
    } catch (error) {
      // What the session throws, an event too large to write or a broken rule of ours, ends the run: no program may go on after it.
      this.fail(error);
    }
    return true;
  }

  /** Requests stand first, then waits that are over, then callbacks. */
  #take(index: number, deliverable: readonly PendingCallback[]): void {
    const requests = this.#requests.length;
    const callbacks = requests + this.#resumes.length;
    if (index < requests) {
      const request = takeFrom(this.#requests, index);
      if (request !== undefined) this.#makeCall(request);
    } else if (index < callbacks) takeFrom(this.#resumes, index - requests)?.();
    else {
      const pending = deliverable[index - callbacks];
      if (pending !== undefined) this.#deliver(this.session.deliver(pending, `${pending.side} callback`));
    }
  }

  #makeCall(request: Request): void {
    const ins = this.#bind(request);
    if (ins === null) return;
    const { plan, side, site } = request;
    const { name, insideCallback: begun } = request.actor;
    // What a handler left behind it makes calls of its own once the callback has returned.
    const insideCallback = this.session.isInside(begun) ? begun : 0;
    const { event, answer } = this.session.call({ plan, side, actor: name, ins, insideCallback, site });
    if (answer === null) this.#blocked.set(event, { request, ins });
    else this.#answer(request, ins, answer);
  }

  /** Arguments that do not fit are the program's own mistake: its promise rejects. */
  #bind({ plan, args, waiter, what, reject }: Request): Value[] | null {
    try {
      return this.session.bind(plan, args);
    } catch (error) {
      this.#wake(waiter, what, reject, error);
      return null;
    }
  }

  #answer({ plan, args, waiter, what, resolve }: Request, ins: readonly Value[], answer: Answer): void {
    if (takesHandlers(plan) && hasSucceeded(answer.outcome)) this.#handlers.register(plan, args, ins);
    this.#wake(waiter, what, resolve, answerToProgram(plan, answer));
  }

  #resumeLater(resume: () => void): void {
    this.#resumes.push(resume);
    this.#idle();
  }

  #deliver({ plan, callback, event }: RunningCallback): void {
    const name = `${callback.side} callback`;
    const handler = this.#handlers.find(callback.name, callback.ins);
    const finish = (returned: unknown) => {
      const outs = this.session.bindOuts(plan, callbackOuts(returned));
      this.session.finish(event, { outcome: callbackOutcome(plan, returned), outs, actor: name });
    };
    if (handler === undefined) return finish(undefined);
    const actor = this.#newActor(name, event);
    this.#start(actor, async () => finish(await this.#invoke(handler, callbackArguments(plan, callback.ins), actor)));
  }

  #newActor(name: string, insideCallback: number): Actor {
    const actor: Actor = { name, insideCallback, waits: [], parkedAt: 0, isRunning: false, isFinished: false };
    this.#actors.add(actor);
    return actor;
  }

  #start(actor: Actor, body: () => unknown): void {
    this.#setRunning(actor, true);
    const finished = (error?: { readonly error: unknown }) => {
      this.#setRunning(actor, false);
      actor.isFinished = true;
      if (actor.waits.length === 0) this.#actors.delete(actor);
      if (error !== undefined) this.#thrown ??= error;
    };
    Promise.resolve().then(body).then(() => finished(), (error: unknown) => finished({ error }));
  }

  /** Who waits for what an actor asks: itself, or the one that runs and uses another's thread, as a handler may the thread around it. */
  #waiterFor(actor: Actor): Actor {
    const borrower = this.#current;
    return actor.isRunning || borrower === null || !borrower.isRunning ? actor : borrower;
  }

  #park(actor: Actor, what: string): void {
    if (actor.waits.length === 0) {
      this.#parks += 1;
      actor.parkedAt = this.#parks;
      if (actor.isFinished) this.#actors.add(actor);
    }
    actor.waits.push(what);
    this.#setRunning(actor, false);
  }

  /** Gives an actor something that it waits for: `settle` is its promise's end. */
  #wake<T>(actor: Actor, what: string, settle: (value: T) => void, value: T): void {
    const { waits } = actor;
    takeFrom(waits, waits.indexOf(what));
    if (waits.length === 0 && actor.isFinished) this.#actors.delete(actor);
    this.#setRunning(actor, true);
    settle(value);
    if (waits.length > 0) this.#parkAfterTurns(actor);
  }

  /** An actor that waits for several things (Promise.all) may not run at all when one of them comes. */
  async #parkAfterTurns(actor: Actor): Promise<void> {
    for (let turn = 0; turn < TURNS && actor.isRunning; turn += 1) await TURN;
    this.#setRunning(actor, false);
  }

  #setRunning(actor: Actor, isRunning: boolean): void {
    if (actor.isRunning === isRunning || actor.isFinished) return;
    actor.isRunning = isRunning;
    if (isRunning) this.#current = actor;
    this.#running += isRunning ? 1 : -1;
    if (this.#running === 0) this.#idle();
  }

  /**
   * An actor that still runs after so many turns waits for a promise that is not the scheduler's: others go on without it, and
   * where nobody can, it is waited for.
   */
  async #untilOthersCan(): Promise<void> {
    while (this.#running > 0 && this.#stopped === null && this.#thrown === null && !this.#canGoOn()) {
      await new Promise<void>((resolve) => this.#idle = resolve);
    }
  }

  #canGoOn(): boolean {
    return this.#requests.length + this.#resumes.length + this.session.deliverable().length > 0;
  }

  #left(event: number, answer: Answer): void {
    const blocked = this.#blocked.get(event);
    if (blocked === undefined) return;
    this.#blocked.delete(event);
    this.#resumeLater(() => this.#answer(blocked.request, blocked.ins, answer));
  }

  #stuck(): string[] {
    return [...this.#actors].filter(({ waits }) => waits.length > 0)
      .toSorted((one, other) => one.parkedAt - other.parkedAt)
      .map(({ name, waits }) => `${name} waits in ${waits.join(" and ")}`);
  }
}

/** Whether an object may still be called back: it lives, or it ended with a callback due. */
function isCallable({ engine: { world } }: Session, object: Ref): boolean {
  if (world.find(object.kind, object.number) !== undefined) return true;
  return world.pending.some(({ ins: [subject] }) => isRef(subject) && sameObject(subject, object));
}

/** Takes out what stands at a place; undefined where nothing does. */
function takeFrom<T>(from: T[], index: number): T | undefined {
  return index === from.length - 1 ? from.pop() : from.splice(index, 1)[0];
}

/** What a handler returns: a status, or an object with `status` and the callback's out parameters by name. */
function callbackOutcome(plan: CallPlan, returned: unknown): Outcome {
  if (plan.declaration.returns !== "status") return VOID;
  const status = isAnswer(returned) ? returned.status : returned;
  return { form: "status", status: typeof status === "number" ? status : STATUS.STATUS_SUCCESS };
}

function callbackOuts(returned: unknown): CallArguments {
  if (!isAnswer(returned)) return {};
  const { status: _, ...outs } = returned;
  return outs;
}

function isAnswer(returned: unknown): returned is { readonly status?: unknown } {
  return typeof returned === "object" && returned !== null;
}
