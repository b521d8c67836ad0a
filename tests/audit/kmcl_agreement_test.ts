// Engine and audit judge channels and GPADLs apart from each other: random runs in which both must agree. What the
// engine refused broke a rule that the audit finds at that call; what it let in broke none.
import { type CallName, type ModelOptions, planOf, STATUS, type Value } from "../../src/api/mod.ts";
import { audit } from "../../src/audit/mod.ts";
import { Session } from "../../src/driver/mod.ts";
import { Engine } from "../../src/engine/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";
import { defaultOptions, isRef, parseOption } from "../../src/api/mod.ts";
import { assertEquals } from "../support/assert.ts";
import { header } from "../support/events.ts";
import { traceOf } from "./story.ts";

const TYPE = "{11111111-0000-0000-0000-000000000001}";
const INSTANCE = "{22222222-0000-0000-0000-000000000001}";

/** A run of random calls on few objects, callbacks open now and then while others go on. */
class RandomRun {
  readonly events: TraceEvent[] = [];
  readonly session: Session;
  readonly #channels: number[] = [];
  readonly #gpadls: number[] = [5];
  readonly #buffers: number[] = [];
  readonly #open: number[] = [];
  #state: number;

  constructor(seed: number, callbacks: string) {
    this.#state = seed * 2654435761 >>> 0;
    const engine = new Engine(optionsFor(callbacks));
    this.session = new Session({ engine, sink: { event: (event) => this.#learn(event) }, memory: "none" });
    this.#call("server", "VmbChannelAllocate", { IsServer: true });
    this.#call("server", "VmbServerChannelInitSetTargetInterfaceId", {
      Channel: this.#channels[0],
      InterfaceType: TYPE,
      InterfaceInstance: INSTANCE,
    });
    this.#call("client", "VmbChannelAllocate", {});
    this.#call("client", "VmbClientChannelInitSetTargetPnp", { Channel: this.#channels[1], InterfaceType: TYPE });
    this.#call("guest", "AllocateBuffer", { ByteCount: 5000 });
    if (callbacks === "some") this.#register();
  }

  /** Any of the callbacks, at each end. */
  #register(): void {
    for (const [index, side] of ["server", "client"].entries()) {
      const StateChangeCallbacks = {
        Version: 1,
        Size: 48,
        EvtChannelOpened: this.#below(2) === 0,
        EvtChannelClosed: this.#below(2) === 0,
        EvtChannelSuspend: this.#below(2) === 0,
        EvtChannelStarted: this.#below(2) === 0,
        EvtChannelPostStarted: this.#below(2) === 0,
      };
      this.#call(side, "VmbChannelInitSetStateChangeCallbacks", {
        Channel: this.#channels[index],
        StateChangeCallbacks,
      });
    }
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step += 1) this.#step();
    while (this.session.deliverable().length > 0 || this.#open.length > 0) this.#callback(1);
  }

  #step(): void {
    if (this.#below(3) > 0) return this.#callback(this.#below(2));
    const Channel = this.#pick(this.#channels);
    const GpadlHandle = this.#pick(this.#gpadls);
    const own = Channel === this.#channels[0] ? "server" : "client";
    const side = this.#below(20) === 0 ? this.#pick(["client", "server"]) ?? own : own;
    const choices: readonly (() => void)[] = [
      () => this.#call(side, "VmbChannelEnable", { Channel }),
      () => this.#call(side, "VmbChannelEnable", { Channel }),
      () => this.#call(side, "VmbChannelDisable", { Channel }),
      () => this.#call(side, "VmbChannelStart", { Channel }),
      () => this.#call(side, "VmbChannelPause", { Channel }),
      () => this.#below(6) === 0 ? this.#call(side, "VmbChannelCleanup", { Channel }) : undefined,
      () => this.#call(side, "VmbChannelInitSetMaximumPacketSize", { Channel, PacketSize: 64 }),
      () => this.#call(side, "VmbChannelGetMmioSpace", { Channel }),
      () => this.#create(side, Channel),
      () => this.#create(side, Channel),
      () => this.#call(side, "VmbChannelMapGpadl", { Channel, GpadlHandle, Flags: this.#below(2) }),
      () => this.#call(side, "VmbChannelMapGpadl", { Channel, GpadlHandle }),
      () => this.#call(side, "VmbChannelUnmapGpadl", { Channel, GpadlHandle }),
      () => this.#call(side, "VmbChannelDeleteGpadl", { Channel, GpadlHandle }),
    ];
    this.#pick(choices)?.();
  }

  #create(side: string, Channel: number | undefined): void {
    const Buffer = this.#pick(this.#buffers);
    const ByteCount = this.#pick([5000, 4096, 0, 5001]);
    this.#call(side, "VmbChannelCreateGpadlFromBuffer", { Channel, Buffer, ByteCount, Flags: this.#below(3) });
  }

  #call(side: string, name: CallName, args: Readonly<Record<string, unknown>>): void {
    const plan = planOf(name);
    const inside = this.#below(2) === 0 ? this.#open.at(-1) ?? 0 : 0;
    const ins = this.session.bind(plan, args);
    this.session.call({ plan, side, actor: side, ins, insideCallback: inside, site: null });
  }

  /** Begins a callback, or ends one that is open. */
  #callback(finishes: number): void {
    const pending = this.#pick(this.session.deliverable());
    const event = this.#pick(this.#open);
    if (pending !== undefined && (finishes === 0 || event === undefined)) {
      this.#open.push(this.session.deliver(pending, "callback").event);
    } else if (event !== undefined) {
      this.#open.splice(this.#open.indexOf(event), 1);
      const status = this.#below(8) === 0 ? STATUS.STATUS_UNSUCCESSFUL : STATUS.STATUS_SUCCESS;
      const opened = this.events.find((each) => each.event === event)?.plan?.declaration.returns === "status";
      this.session.finish(event, {
        outcome: opened ? { form: "status", status } : { form: "void" },
        actor: "callback",
      });
    }
  }

  #learn(event: TraceEvent): void {
    this.events.push(event);
    const returned = event.outcome?.form === "value" ? [event.outcome.value] : [];
    for (const value of [...event.outs, ...returned]) this.#keep(value);
  }

  #keep(value: Value): void {
    if (!isRef(value)) return;
    if (value.kind === "channel") this.#channels.push(value.handle);
    if (value.kind === "gpadl") this.#gpadls.push(value.handle);
    if (value.kind === "buffer") this.#buffers.push(value.handle);
  }

  #below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor(this.#state / 2 ** 32 * limit);
  }

  #pick<T>(list: readonly T[]): T | undefined {
    return list[this.#below(list.length)];
  }
}

function optionsFor(callbacks: string): ModelOptions {
  return parseOption(defaultOptions(), "initial-callbacks", callbacks === "none" ? "none" : "every");
}

/** Findings about what is left or what lies ahead: not about the call where they stand. */
const NOT_ABOUT_A_CALL = new Set(["channel-leak", "gpadl-leak", "gpadl-mapping-leak", "gpadl-alive-after-closed"]);

function isRefused({ outcome }: TraceEvent): boolean {
  return outcome?.form === "refused" || (outcome?.form === "status" && outcome.status >= 0x80000000);
}

/** No clause says that a Map outside Opened and Closed is a misuse: it is an open question (kmcl.md 9.6). */
function isOpenQuestion({ plan }: TraceEvent): boolean {
  return plan?.name === "VmbChannelMapGpadl";
}

function disagreements(seed: number, callbacks: string): string[] {
  const run = new RandomRun(seed, callbacks);
  run.run(120);
  const options = optionsFor(callbacks);
  const { findings } = audit(traceOf(run.events, { header: header({ options }) }), { evidenceLimit: 0 });
  const found = new Map(
    findings.filter(({ rule, severity }) => severity === "error" && !NOT_ABOUT_A_CALL.has(rule))
      .map(({ event, rule }) => [event, rule]),
  );
  return run.events.flatMap((event) => {
    if (event.kind !== "call" && event.kind !== "enter") return [];
    const rule = found.get(event.event);
    const name = `${event.side} ${event.plan?.name} @${event.event}`;
    if (!isRefused(event)) return rule === undefined ? [] : [`${name} was let in, but is ${rule}`];
    if (rule !== undefined || isOpenQuestion(event)) return [];
    return findings.some((each) => each.event === event.event) ? [] : [`${name} was refused, but breaks no rule`];
  });
}

for (const callbacks of ["every", "some", "none"]) {
  Deno.test(`engine and audit agree on what is refused, initial-callbacks=${callbacks}`, () => {
    for (let seed = 1; seed <= 150; seed += 1) {
      assertEquals(disagreements(seed, callbacks), [], `seed ${seed}`);
    }
  });
}
