// Runs a program's actors one step at a time: whoever can go on is a candidate, the seed picks one.
// Every wait of an actor is the scheduler's, so one seed is one run. It knows no call and no format.

import { type CallbackFunction, type CallPlan, type Outcome, STATUS, type Value, VOID } from "../api/mod.ts";
import type { Site } from "../trace/mod.ts";
import { captureSite } from "./call_site.ts";
import type { CallArguments } from "./arguments.ts";
import { answerToProgram, callbackArguments, collectHandlers, handlerKey } from "./arguments.ts";
import { Random } from "./random.ts";
import type { Answer, RunningCallback, Session } from "./session.ts";

/** How often a resumed actor that waits for something else too may turn before others go on. */
const TURNS = 256;

/** A thread of a program. */
export interface Actor {
  readonly name: string;
  /** The callback event that it runs, 0: a thread of the program's own. */
  readonly insideCallback: number;
  /** Requests and waits that have not been answered. */
  outstanding: number;
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

/** Something that can happen next. */
type Candidate = () => void;

/** A call that an actor asked for. */
interface Request {
  readonly actor: Actor;
  readonly plan: CallPlan;
  readonly side: string;
  readonly args: CallArguments;
  readonly site: Site | null;
}

/** The two ends of the promise that the program holds. */
interface Promised {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
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

/** The scheduler of one run. */
export class Scheduler {
  readonly random: Random;
  readonly session: Session;
  readonly #sites: SitePolicy;
  readonly #requests: Candidate[] = [];
  readonly #resumes: Candidate[] = [];
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #waits = new Map<Actor, string[]>();
  readonly #handlers = new Map<string, CallbackFunction>();
  readonly #invoke: (handler: CallbackFunction, args: object, actor: Actor) => unknown;
  #running = 0;
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
    this.session.onLeave = (event, answer) => this.#left(event, answer);
  }

  /** Starts a thread; its body begins when the scheduler first picks it. */
  spawn(name: string, body: (actor: Actor) => unknown): Actor {
    const actor: Actor = { name, insideCallback: 0, outstanding: 0, isRunning: false, isFinished: false };
    this.#resumeLater(() => this.#start(actor, () => body(actor)));
    return actor;
  }

  /** An actor's call: resolves with what the call answered. */
  call(
    actor: Actor,
    { plan, side, args }: { readonly plan: CallPlan; readonly side: string; readonly args: CallArguments },
  ): Promise<unknown> {
    const site = this.#sites.wants(plan) ? captureSite(this.#sites.folder) : null;
    const waiter = this.#waiterFor(actor);
    const what = `${side} ${plan.name}`;
    return new Promise((resolve, reject) => {
      this.#park(waiter, what);
      this.#requests.push(() =>
        this.#makeCall({ actor, plan, side, args, site }, {
          resolve: (result) => this.#wake(waiter, what, () => resolve(result)),
          reject: (error) => this.#wake(waiter, what, () => reject(error)),
        })
      );
      this.#idle();
    });
  }

  /** An actor's wait for another actor: `resume` is called with the value when it is over. */
  wait<T>(actor: Actor, what: string, subscribe: (resume: (value: T) => void) => void): Promise<T> {
    const waiter = this.#waiterFor(actor);
    return new Promise((resolve) => {
      this.#park(waiter, what);
      subscribe((value) => this.#resumeLater(() => this.#wake(waiter, what, () => resolve(value))));
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
      const candidates = this.#candidates();
      if (candidates.length === 0) break;
      this.#step(candidates.length === 1 ? candidates[0] : this.random.pick(candidates));
      await this.#settled();
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

  #candidates(): Candidate[] {
    const callbacks = this.session.deliverable().map((pending) => () =>
      this.#deliver(this.session.deliver(pending, `${pending.side} callback`))
    );
    return [...this.#requests, ...this.#resumes, ...callbacks];
  }

  /** What the session throws, an event too large to write or a broken rule of ours, ends the run: no program may go on after it. */
  #step(candidate: Candidate | undefined): void {
    if (candidate === undefined) return;
    remove(this.#requests, candidate);
    remove(this.#resumes, candidate);
    try {
      candidate();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Arguments that do not fit are the program's own mistake: its promise rejects. */
  #makeCall({ actor, plan, side, args, site }: Request, { resolve, reject }: Promised): void {
    const ins = this.#bind(plan, args, reject);
    if (ins === null) return;
    const { name, insideCallback } = actor;
    const { event, answer } = this.session.call({ plan, side, actor: name, ins, insideCallback, site });
    const settle = (answer: Answer) => {
      this.#register({ plan, args, ins, answer });
      resolve(answerToProgram(plan, answer));
    };
    if (answer === null) this.#waiting.set(event, (late) => this.#resumeLater(() => settle(late)));
    else settle(answer);
  }

  #bind(plan: CallPlan, args: CallArguments, reject: Promised["reject"]): Value[] | null {
    try {
      return this.session.bind(plan, args);
    } catch (error) {
      reject(error);
      return null;
    }
  }

  #resumeLater(resume: Candidate): void {
    this.#resumes.push(resume);
    this.#idle();
  }

  #deliver(running: RunningCallback): void {
    const { plan, callback, event } = running;
    const actor: Actor = {
      name: `${callback.side} callback`,
      insideCallback: event,
      outstanding: 0,
      isRunning: false,
      isFinished: false,
    };
    const handler = this.#handlers.get(handlerKey(callback.channel, callback.name));
    const finish = (returned: unknown) =>
      this.session.finish(event, { outcome: callbackOutcome(plan, returned), actor: actor.name });
    if (handler === undefined) return finish(undefined);
    this.#start(actor, async () => finish(await this.#invoke(handler, callbackArguments(plan, callback.ins), actor)));
  }

  #start(actor: Actor, body: () => unknown): void {
    this.#setRunning(actor, true);
    const finished = (error?: { readonly error: unknown }) => {
      this.#setRunning(actor, false);
      actor.isFinished = true;
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
    actor.outstanding += 1;
    this.#waits.set(actor, [...this.#waits.get(actor) ?? [], what]);
    this.#setRunning(actor, false);
  }

  #wake(actor: Actor, what: string, go: () => void): void {
    actor.outstanding -= 1;
    const waits = this.#waits.get(actor) ?? [];
    remove(waits, what);
    if (waits.length === 0) this.#waits.delete(actor);
    this.#setRunning(actor, true);
    go();
    if (actor.outstanding > 0) this.#parkAfterTurns(actor);
  }

  /** An actor that waits for several things (Promise.all) may not run at all when one of them comes. */
  async #parkAfterTurns(actor: Actor): Promise<void> {
    for (let turn = 0; turn < TURNS && actor.isRunning; turn += 1) await null;
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
   * Waits until no actor runs. One that still does after so many turns waits for a promise that is not the scheduler's: others
   * go on without it, and where nobody can, it is waited for.
   */
  async #settled(): Promise<void> {
    for (let turn = 0; turn < TURNS && this.#running > 0; turn += 1) await null;
    while (this.#running > 0 && this.#stopped === null && this.#thrown === null && !this.#canGoOn()) {
      await new Promise<void>((resolve) => this.#idle = resolve);
    }
  }

  #canGoOn(): boolean {
    return this.#requests.length + this.#resumes.length + this.session.deliverable().length > 0;
  }

  #left(event: number, answer: Answer): void {
    this.#waiting.get(event)?.(answer);
    this.#waiting.delete(event);
  }

  #register(
    { plan, args, ins, answer }: {
      readonly plan: CallPlan;
      readonly args: CallArguments;
      readonly ins: readonly Value[];
      readonly answer: Answer;
    },
  ): void {
    if (answer.outcome.form !== "status" || answer.outcome.status !== STATUS.STATUS_SUCCESS) return;
    for (const [key, handler] of collectHandlers(plan, args, ins)) this.#handlers.set(key, handler);
  }

  #stuck(): string[] {
    return [...this.#waits].map(([actor, waits]) => `${actor.name} waits in ${waits.join(" and ")}`);
  }
}

function remove<T>(from: T[], what: T): void {
  const index = from.indexOf(what);
  if (index >= 0) from.splice(index, 1);
}

function callbackOutcome(plan: CallPlan, returned: unknown): Outcome {
  if (plan.declaration.returns !== "status") return VOID;
  return { form: "status", status: typeof returned === "number" ? returned : STATUS.STATUS_SUCCESS };
}
