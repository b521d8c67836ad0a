// Engine and audit judge packets apart from each other: random runs in which both must agree. What the engine refused broke a
// rule that the audit finds at that call; what it let in broke none that is certain, but for rules of what may be done and
// should not.
import { type CallName, defaultOptions, isRef, planOf, STATUS, type Value } from "../../src/api/mod.ts";
import { audit } from "../../src/audit/mod.ts";
import { Session } from "../../src/driver/mod.ts";
import { Engine } from "../../src/engine/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";
import { assertEquals } from "../support/assert.ts";
import { header } from "../support/events.ts";
import { traceOf } from "./story.ts";

const IDENTITY = { InterfaceType: "{11111111-0000-0000-0000-000000000001}" };

/** An object of a side, as the driver there knows it. */
interface Held {
  readonly side: string;
  readonly handle: number;
}

/** A run of random calls on few packets, callbacks open now and then while others go on. */
class RandomRun {
  readonly events: TraceEvent[] = [];
  readonly #session: Session;
  readonly #channels: Held[] = [];
  readonly #packets: Held[] = [];
  readonly #completions: Held[] = [];
  readonly #open: number[] = [];
  #state: number;

  constructor(seed: number) {
    this.#state = seed * 2654435761 >>> 0;
    const engine = new Engine(defaultOptions());
    this.#session = new Session({ engine, sink: { event: (event) => this.#learn(event) }, memory: "none" });
    this.#call("server", "VmbChannelAllocate", { IsServer: true });
    this.#call("client", "VmbChannelAllocate", {});
    const [server, client] = this.#channels;
    const InterfaceInstance = "{22222222-0000-0000-0000-000000000001}";
    const identity = { Channel: server?.handle, InterfaceInstance, ...IDENTITY };
    this.#call("server", "VmbServerChannelInitSetTargetInterfaceId", identity);
    this.#call("client", "VmbClientChannelInitSetTargetPnp", { Channel: client?.handle, ...IDENTITY });
    this.#call("server", "VmbChannelEnable", { Channel: server?.handle });
    this.#call("server", "VmbChannelStart", { Channel: server?.handle });
    this.#call("client", "VmbChannelEnable", { Channel: client?.handle });
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step += 1) this.#step();
    while (this.#session.deliverable().length > 0 || this.#open.length > 0) this.#callback(1);
  }

  #step(): void {
    if (this.#below(2) > 0) return this.#callback(this.#below(2));
    const roll = this.#below(30);
    if (roll < 8) this.#onChannel(roll);
    else if (roll < 20) this.#onPacket(roll - 8);
    else this.#onCompletion(roll - 20);
  }

  #onChannel(roll: number): void {
    const { side, handle: Channel } = this.#pick(this.#channels) ?? { side: "client", handle: 0 };
    if (roll === 0 && this.#below(3) === 0) this.#call(side, "VmbChannelDisable", { Channel });
    else if (roll === 1) this.#call(side, "VmbChannelPause", { Channel });
    else if (roll === 2) this.#call(side, "VmbChannelStart", { Channel });
    else if (roll === 3) this.#call(side, "VmbChannelEnable", { Channel });
    else if (roll === 4) this.#call(side, "VmbChannelSetTransactionQuota", { Channel, Quota: this.#below(4) });
    else if (roll === 5) this.#call(side, "VmbPacketInitialize", { Channel, ByteCount: 0x2000, ...this.#any(side) });
    else this.#call(side, "VmbPacketAllocate", { Channel });
  }

  #any(side: string): Readonly<Record<string, unknown>> {
    const held = this.#pick(this.#packets);
    return held?.side === side ? { VmbPacket: held.handle } : {};
  }

  #onPacket(roll: number): void {
    const held = this.#pick(this.#packets);
    if (held === undefined) return;
    const { side, handle: PacketObject } = held;
    if (roll === 0) this.#call(side, "VmbPacketFree", { VmbPacket: PacketObject });
    else if (roll === 1) this.#call(side, "VmbPacketSetPointer", { PacketObject, Pointer: 1 });
    else if (roll < 4) this.#call(side, "VmbPacketSetCompletionRoutine", { PacketObject, CompletionRoutine: true });
    else {
      const Flags = this.#below(20) === 0 ? 8 : this.#below(2);
      this.#call(side, "VmbPacketSend", {
        PacketObject,
        Buffer: Uint8Array.of(this.#below(3)),
        BufferLength: 1,
        Flags,
      });
    }
  }

  #onCompletion(roll: number): void {
    const held = this.#pick(this.#completions);
    if (held === undefined) return;
    const args = { PacketCompletionContext: held.handle };
    const names: readonly CallName[] = [
      "VmbChannelPacketDeferToPassive",
      "VmbChannelPacketGetExternalData",
      this.#below(6) === 0 ? "VmbChannelPacketFail" : "VmbChannelPacketComplete",
    ];
    this.#call(held.side, names[roll] ?? "VmbChannelPacketComplete", args);
  }

  #call(side: string, name: CallName, args: Readonly<Record<string, unknown>>): void {
    const plan = planOf(name);
    const inside = this.#below(2) === 0 ? this.#open.at(-1) ?? 0 : 0;
    const ins = this.#session.bind(plan, args);
    this.#session.call({ plan, side, actor: side, ins, insideCallback: inside, site: null });
  }

  /** Begins a callback, or ends one that is open. */
  #callback(finishes: number): void {
    const pending = this.#pick(this.#session.deliverable());
    const event = this.#pick(this.#open);
    if (pending !== undefined && (finishes === 0 || event === undefined)) {
      this.#open.push(this.#session.deliver(pending, "callback").event);
    } else if (event !== undefined) {
      this.#open.splice(this.#open.indexOf(event), 1);
      const isStatus = this.events.find((each) => each.event === event)?.plan?.declaration.returns === "status";
      const outcome = isStatus ? { form: "status", status: STATUS.STATUS_SUCCESS } as const : { form: "void" } as const;
      this.#session.finish(event, { outcome, actor: "callback" });
    }
  }

  #learn(event: TraceEvent): void {
    this.events.push(event);
    const returned = event.outcome?.form === "value" ? [event.outcome.value] : [];
    const given = event.kind === "callback" ? event.ins : [];
    for (const value of [...event.outs, ...returned, ...given]) this.#keep(event.side, value);
  }

  #keep(side: string, value: Value): void {
    if (!isRef(value)) return;
    const lists = { channel: this.#channels, packet: this.#packets, completion: this.#completions };
    const list = value.kind === "channel" || value.kind === "packet" || value.kind === "completion"
      ? lists[value.kind]
      : undefined;
    if (list === undefined || list.some(({ handle }) => handle === value.handle)) return;
    list.push({ side, handle: value.handle });
    if (list.length > 6) list.shift();
  }

  #below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor(this.#state / 2 ** 32 * limit);
  }

  #pick<T>(list: readonly T[]): T | undefined {
    return list[this.#below(list.length)];
  }
}

/** What may be done and should not, and what is left. */
const LET_IN = new Set([
  "packet-send-after-suspend",
  "packet-leak",
  "packet-never-completed",
  "channel-leak",
]);

function isRefused({ outcome }: TraceEvent): boolean {
  return outcome?.form === "refused" || (outcome?.form === "status" && outcome.status >= 0x80000000);
}

/** No rule says what else may not be done with a packet that was put back. */
function isOpenQuestion({ plan, outcome }: TraceEvent): boolean {
  if (plan?.name === "VmbChannelPacketGetExternalData") return true;
  return outcome?.form === "refused" && outcome.reason.includes("will be delivered again");
}

function disagreements(seed: number): string[] {
  const run = new RandomRun(seed);
  run.run(160);
  const { findings } = audit(traceOf(run.events, { header: header() }), { evidenceLimit: 0 });
  const found = new Map(
    findings.filter(({ rule, severity, verdict }) => severity === "error" && verdict === "certain" && !LET_IN.has(rule))
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

Deno.test("engine and audit agree on which uses of packets are refused", () => {
  for (let seed = 1; seed <= 150; seed += 1) assertEquals(disagreements(seed), [], `seed ${seed}`);
});
