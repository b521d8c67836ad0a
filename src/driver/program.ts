// What a program is and what it is given. A program is an async function: it makes calls as sides, starts more threads,
// and waits only for calls, mailboxes and threads, so that its seed decides everything.

import type { CallbackFunction, CallbackName, CALLBACKS, GivenOf, ReturnOf } from "../api/mod.ts";
import { type SideApi, sideApi } from "./facade.ts";
import { Mailbox } from "./mailbox.ts";
import { Random } from "./random.ts";
import { type Actor, type RunEnd, Scheduler, type SitePolicy } from "./scheduler.ts";
import type { Session } from "./session.ts";

/** What one thread of a program holds: every side, as this thread. */
export interface Thread {
  readonly client: SideApi<"client">;
  readonly server: SideApi<"server">;
  readonly umd: SideApi<"umd">;
  readonly guestUmd: SideApi<"guest-umd">;
  readonly kmd: SideApi<"kmd">;
  readonly guest: SideApi<"guest">;
  readonly host: SideApi<"host">;
  readonly gpu: SideApi<"gpu">;
  readonly machine: SideApi<"machine">;
  /** The user-mode driver of the n-th process on the host, from 1. */
  process(number: number): SideApi<"umd">;
  /** Waits for a mail of another thread. */
  receive<T>(mailbox: Mailbox<T>): Promise<T>;
}

/** What a program is given: its first thread, and what all threads share. */
export interface ProgramContext extends Thread {
  /** Starts a thread; the promise is over when its body is. */
  spawn<T>(name: string, body: (thread: Thread) => Promise<T>): Promise<T>;
  /** A mailbox: what one thread sends, another receives, in order. It stands for what drivers tell each other in packets. */
  mailbox<T>(): Mailbox<T>;
  /** Random numbers from the run's seed. */
  readonly random: Random;
  /** What stood behind `--`. */
  readonly args: readonly string[];
}

/** A program: the default export of a module that `record` runs. */
export type Program = (context: ProgramContext) => Promise<void> | void;

/** A program with what it wants of the model. */
export interface ProgramModule {
  readonly run: Program;
  /** Options of the model that the program needs, below those of the command line. */
  readonly options: Readonly<Record<string, string>>;
  /** One line for `record --list`. */
  readonly summary: string;
}

/** Declares a program; `options` are the model's options that it needs. */
export function defineProgram(
  run: Program,
  about: { readonly summary?: string; readonly options?: Readonly<Record<string, string>> } = {},
): ProgramModule {
  return { run, options: about.options ?? {}, summary: about.summary ?? "" };
}

/**
 * Makes a callback handler of a function: it gets what the callback gives, and a thread that is inside the callback. Left out,
 * the callback is one of a channel; `on<"EvtVmbChannelProcessPacket">(…)` names another one.
 */
export function on<N extends CallbackName = "EvtVmbChannelOpened">(
  handler: (
    callback: GivenOf<(typeof CALLBACKS)[N]>,
    inside: Thread,
  ) => Promise<ReturnOf<(typeof CALLBACKS)[N]>> | ReturnOf<(typeof CALLBACKS)[N]>,
): CallbackFunction {
  return Object.assign(() => undefined, { handler });
}

/** How a program is run. */
export interface RunOptions {
  readonly session: Session;
  readonly seed: number;
  readonly args: readonly string[];
  readonly sites: SitePolicy;
  /** Awaited every `pauseEvery` steps, so that the host can be heard (Ctrl-C). */
  readonly pause?: () => Promise<void>;
  readonly pauseEvery?: number;
  /** Told the scheduler before the first step, to stop the run. */
  readonly onStart?: (scheduler: Scheduler) => void;
}

/** Runs a program to its end: until no actor can go on. */
export function runProgram(program: Program, options: RunOptions): Promise<RunEnd> {
  const { session, seed, args, sites } = options;
  const scheduler: Scheduler = new Scheduler({
    session,
    seed,
    sites,
    invoke: (handler, callback, actor): unknown => invoke(scheduler, { handler, callback, actor }),
  });
  options.onStart?.(scheduler);
  scheduler.spawn("main", (actor) => program(contextOf(scheduler, { actor, args })));
  return scheduler.run({ pauseEvery: options.pauseEvery ?? 4096, pause: options.pause ?? (() => Promise.resolve()) });
}

interface Invocation {
  readonly handler: CallbackFunction;
  readonly callback: object;
  readonly actor: Actor;
}

function invoke(scheduler: Scheduler, { handler, callback, actor }: Invocation): unknown {
  const inner = "handler" in handler ? handler.handler : handler;
  if (typeof inner !== "function") throw new TypeError("Cannot run a callback: make it with on(…)");
  return inner(callback, threadOf(scheduler, actor));
}

function contextOf(
  scheduler: Scheduler,
  { actor, args }: { readonly actor: Actor; readonly args: readonly string[] },
): ProgramContext {
  return {
    ...threadOf(scheduler, actor),
    args,
    random: new Random(scheduler.random.next()),
    mailbox: () => new Mailbox(),
    spawn: (name, body) => spawn(scheduler, { parent: actor, name, body }),
  };
}

function spawn<T>(
  scheduler: Scheduler,
  options: { readonly parent: Actor; readonly name: string; readonly body: (thread: Thread) => Promise<T> },
): Promise<T> {
  const over = new Mailbox<T>();
  scheduler.spawn(options.name, async (actor) => over.send(await options.body(threadOf(scheduler, actor))));
  return new Lazy(() =>
    scheduler.wait<T>(options.parent, `the end of ${options.name}`, (resume) => over.subscribe(resume))
  );
}

/** A promise whose wait begins when somebody awaits it: a thread that nobody waits for parks nobody. */
class Lazy<T> extends Promise<T> {
  readonly #begin: () => Promise<T>;
  #begun: Promise<T> | null = null;

  constructor(begin: () => Promise<T>) {
    super(() => {});
    this.#begin = begin;
  }

  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }

  override then<A = T, B = never>(
    onDone?: ((value: T) => A | PromiseLike<A>) | null,
    onError?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#begun ??= this.#begin();
    return this.#begun.then(onDone, onError);
  }
}

function threadOf(scheduler: Scheduler, actor: Actor): Thread {
  const call: Parameters<typeof sideApi>[1] = (plan, side, args, method) =>
    scheduler.call(actor, { plan, side, args: { ...args }, method });
  return {
    client: sideApi<"client">("client", call),
    server: sideApi<"server">("server", call),
    umd: sideApi<"umd">("umd", call),
    guestUmd: sideApi<"guest-umd">("guest-umd", call),
    kmd: sideApi<"kmd">("kmd", call),
    guest: sideApi<"guest">("guest", call),
    host: sideApi<"host">("host", call),
    gpu: sideApi<"gpu">("gpu", call),
    machine: sideApi<"machine">("machine", call),
    process: (number) => sideApi<"umd">(number === 1 ? "umd" : `umd#${number}`, call),
    receive: (mailbox) => scheduler.wait(actor, "a mailbox", (resume) => mailbox.subscribe(resume)),
  };
}
