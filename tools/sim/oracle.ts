// A slow, obvious oracle for pairs: plain maps over the events of a run, by names of calls, with no code of the audit.
// What it says is compared with the audit's certain findings about leaks and about ends without a beginning.

import { hasSucceeded, isRef, type ModelOptions, type Outcome, type Value } from "../../src/api/mod.ts";
import type { Finding } from "../../src/audit/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";
import type { Disagreement } from "./simulated_world.ts";

/** A call with its answer, whether or not it waited. */
interface Answered {
  readonly name: string;
  readonly side: string;
  /** The event of the call. */
  readonly event: number;
  readonly ins: readonly Value[];
  readonly outs: readonly Value[];
  readonly outcome: Outcome;
}

/** What the oracle knows of a GPADL. */
interface Gpadl {
  readonly client: number;
  readonly server: number;
  mappings: number;
  isDeleting: boolean;
  isDead: boolean;
}

/** Rules that tell of what was left, which the oracle counts too. */
const LEAKS: ReadonlySet<string> = new Set([
  "channel-leak",
  "gpadl-leak",
  "gpadl-mapping-leak",
  "packet-leak",
  "packet-never-completed",
  "kernel-handle-leak",
  "interface-leak",
]);

/** Rules that tell of an end without its beginning, by the call that they stand at. */
const UNMATCHED: Readonly<Record<string, readonly string[]>> = {
  VmbChannelUnmapGpadl: ["gpadl-unmatched-unmap", "gpadl-double-unmap", "gpadl-wrong-channel"],
  VmbChannelDeleteGpadl: ["gpadl-unmatched-delete", "gpadl-wrong-channel"],
  VmbPacketFree: ["packet-double-free", "packet-free-not-allocated", "packet-null-used", "packet-use-after-free"],
  // One that failed ended with that, where the option says so: to complete it is traffic after the failure.
  VmbChannelPacketComplete: ["packet-double-complete", "packet-traffic-after-fail"],
  VmbChannelCleanup: ["channel-double-cleanup", "channel-use-after-cleanup"],
};
/** Rules about the caller's end or its channel: they come before what the call says of a pair. */
const BEFORE: readonly string[] = ["wrong-endpoint", "channel-use-after-cleanup", "channel-double-cleanup"];

/** Rules that tell of a wait, which may be one for a packet that is not completed. */
const HANGS: ReadonlySet<string> = new Set([
  "packet-never-completed-hang",
  "wait-never-ends",
  "channel-disable-in-callback",
]);

/** Every difference between what the oracle counts and what the audit found for certain. */
export function disagreements(
  events: readonly TraceEvent[],
  { findings, options }: { readonly findings: readonly Finding[]; readonly options: ModelOptions },
): readonly Disagreement[] {
  const oracle = new Oracle(options);
  for (const event of events) oracle.event(event);
  oracle.end();
  return [...leakTroubles(oracle, findings), ...unmatchedTroubles(oracle, findings)];
}

function leakTroubles({ leaks, isUnloading }: Oracle, findings: readonly Finding[]): Disagreement[] {
  const found = new Set(
    findings.filter(({ rule, verdict }) => LEAKS.has(rule) && verdict === "certain").map(({ rule, object, event }) =>
      rule === "gpadl-mapping-leak" ? `${rule} ${object?.kind}#${object?.number} @${event}` : leakOf(rule, object)
    ),
  );
  // Packets that a call waits for are told with that call, a packet at most once.
  const isHanging = findings.some(({ rule }) => HANGS.has(rule));
  const missing = [...leaks].filter((leak) => !found.has(leak))
    .filter((leak) => !(isHanging && leak.startsWith("packet-never-completed")));
  const extra = [...found].filter((leak) => !leaks.has(leak));
  // Of a guest that is still leaving the bus this oracle cannot tell whether the host has begun to let go of its GPADLs.
  const isTold = (leak: string) => !isUnloading || !leak.startsWith("gpadl-leak");
  return [
    ...missing.filter(isTold).map((leak) => ({
      about: leak.split(" ")[0] ?? "",
      message: `the oracle has ${leak}, the audit not`,
    })),
    ...extra.filter(isTold).map((leak) => ({
      about: leak.split(" ")[0] ?? "",
      message: `the audit has ${leak}, the oracle not`,
    })),
  ];
}

function leakOf(rule: string, object: { readonly kind: string; readonly number: number } | null): string {
  return `${rule} ${object?.kind}#${object?.number}`;
}

function unmatchedTroubles({ unmatched, judged }: Oracle, findings: readonly Finding[]): Disagreement[] {
  const at = new Map<number, string[]>();
  for (const { event, rule, verdict } of findings) {
    if (verdict === "certain") at.set(event, [...at.get(event) ?? [], rule]);
  }
  return [...judged].flatMap(([event, name]) => {
    const rules = at.get(event) ?? [];
    const found = rules.find((rule) => UNMATCHED[name]?.includes(rule));
    const why = unmatched.get(event);
    if (why !== undefined && found === undefined && !rules.some((rule) => BEFORE.includes(rule))) {
      return [{
        about: name,
        message: `${name} @${event}: the oracle says ${why}, the audit ${rules.join() || "nothing"}`,
      }];
    }
    return why === undefined && found !== undefined
      ? [{ about: name, message: `${name} @${event}: the audit says ${found}, the oracle nothing` }]
      : [];
  });
}

/** The kind and number of an object, `gpadl#7`; empty: none. */
function nameOf(value: Value | undefined): string {
  return isRef(value) ? `${value.kind}#${value.number}` : "";
}

class Oracle {
  /** What leaked, as `RULE OBJECT`. */
  readonly leaks = new Set<string>();
  /** Ends that the oracle judged, by their event, and what is wrong with some of them. */
  readonly judged = new Map<number, string>();
  readonly unmatched = new Map<number, string>();
  readonly #options: ModelOptions;
  readonly #entered = new Map<number, TraceEvent>();
  readonly #closing = new Map<number, number>();
  readonly #channels = new Map<string, { isServer: boolean; peer: number }>();
  readonly #gpadls = new Map<string, Gpadl>();
  /** Mappings, oldest first. */
  #mappings: { readonly gpadl: string; readonly server: number; readonly event: number }[] = [];
  /** Packets: whether somebody must free them. */
  readonly #packets = new Map<string, { readonly isAllocated: boolean; hasRoutine: boolean; wasSent: boolean }>();
  readonly #completions = new Map<string, "due" | "again">();
  readonly #others = new Map<string, string>();
  /** A guest that leaves the bus has not returned: from some moment on the host is deleting what it has. */
  isUnloading = false;

  constructor(options: ModelOptions) {
    this.#options = options;
  }

  event(event: TraceEvent): void {
    const { kind, plan, ins, of } = event;
    if (plan === null) return;
    if (kind === "enter") {
      this.#entered.set(event.event, event);
      if (plan.name === "VmbChannelDeleteGpadl") this.#deleteBegins(event);
      if (plan.name === "UnloadVmbus") this.isUnloading = true;
    } else if (kind === "callback") this.#callback(event);
    else if (kind === "return") this.#returned(of);
    else if (kind === "leave") {
      const entered = this.#entered.get(of);
      if (entered !== undefined) this.#call({ ...event, event: of, ins: entered.ins, name: plan.name }, true);
    } else if (kind === "call") this.#call({ ...event, ins, name: plan.name }, false);
  }

  end(): void {
    for (const name of this.#channels.keys()) this.leaks.add(`channel-leak ${name}`);
    for (const [name, { isDead, isDeleting }] of this.#gpadls) {
      if (!isDead && !isDeleting) this.leaks.add(`gpadl-leak ${name}`);
    }
    for (const mapping of this.#mappings) this.#mappingLeaks(mapping);
    for (const [name, { isAllocated, hasRoutine, wasSent }] of this.#packets) {
      if (isAllocated && (hasRoutine || !wasSent)) this.leaks.add(`packet-leak ${name}`);
    }
    for (const [name, state] of this.#completions) {
      if (state === "due") this.leaks.add(`packet-never-completed ${name}`);
    }
    for (const [name, rule] of this.#others) this.leaks.add(`${rule} ${name}`);
  }

  #mappingLeaks({ gpadl, event }: { readonly gpadl: string; readonly event: number }): void {
    this.leaks.add(`gpadl-mapping-leak ${gpadl} @${event}`);
  }

  #callback({ event, plan, ins }: TraceEvent): void {
    const [channel, packet] = ins;
    if (plan?.name === "EvtVmbChannelProcessPacket") this.#completions.set(nameOf(packet), "due");
    if (plan?.name === "EvtVmbChannelClosed" && isRef(channel)) this.#closing.set(event, channel.number);
  }

  /** When a server's Closed returns, nothing may be mapped any more. */
  #returned(of: number): void {
    const server = this.#closing.get(of);
    for (const mapping of this.#mappings) if (mapping.server === server) this.#mappingLeaks(mapping);
  }

  #call(
    answered: { readonly name: string } & Omit<Answered, "outcome"> & Pick<TraceEvent, "outcome">,
    waited: boolean,
  ): void {
    const { outcome, name } = answered;
    if (outcome === null) return;
    const call: Answered = { ...answered, outcome };
    if (!waited && UNMATCHED[name] !== undefined && !isPlanned(outcome)) this.#judge(call);
    if (hasSucceeded(outcome)) this.#succeeded(call);
  }

  #judge(call: Answered): void {
    const [first] = call.ins;
    if (call.name === "VmbChannelDeleteGpadl" && this.isUnloading) return;
    // A handle that names no channel at all says nothing of pairs.
    if (call.name.endsWith("Gpadl") && !isRef(first)) return;
    const packet = this.#packets.get(nameOf(first));
    // The default routine frees a sent packet, and no event says when.
    if (packet?.isAllocated === true && packet.wasSent && !packet.hasRoutine) return;
    const why = this.#wrong(call);
    this.judged.set(call.event, call.name);
    if (why !== null) this.unmatched.set(call.event, why);
  }

  #wrong({ name, ins }: Answered): string | null {
    const [first, second] = ins;
    switch (name) {
      case "VmbChannelUnmapGpadl":
        return this.#mappings.some(({ gpadl, server }) =>
            gpadl === nameOf(second) && isRef(first) && first.number === server
          )
          ? null
          : "not mapped there";
      case "VmbChannelDeleteGpadl":
        return this.#deleteTrouble(ins);
      case "VmbPacketFree":
        return this.#packetTrouble(first);
      case "VmbChannelPacketComplete":
        return this.#completions.has(nameOf(first)) ? null : "no such delivery";
      default:
        return this.#channels.has(nameOf(first)) || !isRef(first) ? null : "cleaned up";
    }
  }

  #deleteTrouble([channel, value]: readonly Value[]): string | null {
    const gpadl = this.#gpadls.get(nameOf(value));
    if (gpadl === undefined) return "no such GPADL";
    if (gpadl.isDead || gpadl.isDeleting) return "deleted before";
    return isRef(channel) && channel.number === gpadl.client ? null : "of another channel";
  }

  #packetTrouble(value: Value | undefined): string | null {
    const packet = this.#packets.get(nameOf(value));
    if (packet === undefined) return "no such packet";
    return packet.isAllocated ? null : "in the caller's memory";
  }

  #deleteBegins({ event, ins, side }: TraceEvent): void {
    this.#judge({ name: "VmbChannelDeleteGpadl", event, ins, outs: [], outcome: { form: "void" }, side });
    const gpadl = this.#gpadls.get(nameOf(ins[1]));
    if (gpadl !== undefined) gpadl.isDeleting = true;
  }

  #succeeded(call: Answered): void {
    const { name, event, ins, outs, outcome } = call;
    const [first, second] = ins;
    const made = outcome.form === "value" ? outcome.value : outs[0];
    switch (name) {
      case "VmbChannelAllocate":
        return void this.#channels.set(nameOf(made), { isServer: second === true, peer: 0 });
      case "VmbChannelCleanup":
        return this.#cleanup(nameOf(first));
      case "VmbChannelCreateGpadlFromBuffer":
      case "VmbChannelCreateGpadlFromMdl":
        return this.#created(nameOf(made), first);
      case "VmbChannelMapGpadl":
        if (isRef(first)) this.#mappings.push({ gpadl: nameOf(ins[2]), server: first.number, event });
        return;
      case "VmbChannelUnmapGpadl":
        return this.#unmapped(nameOf(second));
      case "VmbChannelDeleteGpadl":
        return this.#deleted(nameOf(second));
      case "VmbConvertVmbusHandleToKernelHandle":
        return void this.#others.set(nameOf(made), "kernel-handle-leak");
      case "QueryInterface":
        return void this.#others.set(nameOf(made), "interface-leak");
      case "CloseKernelHandle":
      case "InterfaceDereference":
        return void this.#others.delete(nameOf(first));
      case "UnloadVmbus":
        this.isUnloading = false;
        for (const gpadl of this.#gpadls.values()) gpadl.isDead = true;
        return;
      default:
        return this.#packetCall(call);
    }
  }

  #packetCall({ name, ins, outs, outcome }: Answered): void {
    const [first] = ins;
    const packet = this.#packets.get(nameOf(first));
    const made = outcome.form === "value" ? outcome.value : outs[0];
    if (name === "VmbPacketAllocate" || name === "VmbPacketInitialize") {
      const isAllocated = name === "VmbPacketAllocate";
      if (!isRef(made)) return;
      if (!isAllocated) this.#packets.delete(nameOf(ins[1]));
      this.#packets.set(nameOf(made), { isAllocated, hasRoutine: false, wasSent: false });
    } else if (name === "VmbPacketFree") this.#packets.delete(nameOf(first));
    else if (name === "VmbPacketSetCompletionRoutine" && packet !== undefined) packet.hasRoutine = true;
    else if ((name.startsWith("VmbPacketSend") || name === "VmbPacketRestore") && packet !== undefined) {
      packet.wasSent = true;
    } else if (name.startsWith("VmbChannelPacket")) this.#completionCall(name, nameOf(first), outcome);
  }

  #completionCall(name: string, completion: string, outcome: Outcome): void {
    if (!this.#completions.has(completion)) return;
    const isPending = outcome.form === "status" && outcome.status === 0x103;
    if (name === "VmbChannelPacketComplete") this.#completions.delete(completion);
    else if (name === "VmbChannelPacketDeferToPassive" || isPending) this.#completions.set(completion, "again");
    else if (name === "VmbChannelPacketFail" && this.#options["fail-then-complete"] === "ends") {
      this.#completions.delete(completion);
    }
  }

  #created(gpadl: string, channel: Value | undefined): void {
    const client = isRef(channel) ? channel.number : 0;
    this.#gpadls.set(gpadl, { client, server: 0, mappings: 0, isDeleting: false, isDead: false });
  }

  #unmapped(gpadl: string): void {
    const oldest = this.#mappings.findIndex((mapping) => mapping.gpadl === gpadl);
    this.#mappings = this.#mappings.filter((_, index) => index !== oldest);
  }

  #deleted(name: string): void {
    const gpadl = this.#gpadls.get(name);
    if (gpadl !== undefined) gpadl.isDead = true;
  }

  /** What a channel still has when it is cleaned up, nobody can give back. */
  #cleanup(channel: string): void {
    this.#channels.delete(channel);
    for (const [name, { client, isDead, isDeleting }] of this.#gpadls) {
      if (`channel#${client}` === channel && !isDead && !isDeleting) this.leaks.add(`gpadl-leak ${name}`);
    }
    for (const mapping of this.#mappings) {
      const gpadl = this.#gpadls.get(mapping.gpadl);
      const isOwn = `channel#${mapping.server}` === channel || `channel#${gpadl?.client}` === channel;
      if (isOwn && gpadl?.isDead === false) this.#mappingLeaks(mapping);
    }
  }
}

/** A fault that was asked for: the call never happened. */
function isPlanned(outcome: Outcome): boolean {
  return outcome.form === "refused" && outcome.reason === "FailNext";
}
