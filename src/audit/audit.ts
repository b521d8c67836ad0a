// The audit: one pass that joins calls, keeps the table of objects and asks every detector; then, where something was
// found, a second one for evidence. It knows no rule: detectors do. Memory is bound to what lives.

import { ByPlan, type CallPlan, type ObjectKind, operandRefs } from "../api/mod.ts";
import type { Trace, TraceEvent } from "../trace/mod.ts";
import { UNLOAD } from "./call_shapes.ts";
import { channelDetector } from "./channel_rules.ts";
import { ChannelStates } from "./channel_states.ts";
import { Context, defectOf } from "./context.ts";
import { Deliveries } from "./delivery_states.ts";
import {
  type CallHook,
  type CallQuestion,
  type CallView,
  type Detector,
  type Listener,
  listenerOf,
} from "./detector.ts";
import { EVIDENCE_LIMIT, withEvidence } from "./evidence.ts";
import { exerciseDetector } from "./exercised.ts";
import type { AuditResult, Finding } from "./finding.ts";
import { gpadlDetector } from "./gpadl_rules.ts";
import { Gpadls } from "./gpadl_states.ts";
import { GuestPages } from "./guest_pages.ts";
import { exitedSide, isProcessExit } from "./gpu_call_values.ts";
import { gpuHandleDetector } from "./gpu_handle_rules.ts";
import { gpuObjectDetector } from "./gpu_object_rules.ts";
import { gpuPendingDetector } from "./gpu_pending_rules.ts";
import { gpuProcesses } from "./gpu_processes.ts";
import { gpuQueueDetector } from "./gpu_queue_rules.ts";
import { gpuResidencyDetector } from "./gpu_residency_rules.ts";
import { gpuUpdateDetector } from "./gpu_update_rules.ts";
import { gpuVaDetector } from "./gpu_va_rules.ts";
import { gpuWorkDetector } from "./gpu_work_rules.ts";
import { GpuWorld } from "./gpu_world.ts";
import { handleDetector } from "./handle_rules.ts";
import { irqlDetector } from "./irql_rules.ts";
import { type JoinedCall, walk, type Walker } from "./join.ts";
import { leakRateDetector } from "./leak_rate.ts";
import { rulesOfLeftOut } from "./left_out.ts";
import { memoryDetector, MemoryWatch } from "./memory_rules.ts";
import type { Ended } from "./object_table.ts";
import { observationDetector, observationLimits } from "./observation_rules.ts";
import { deliveryDetector } from "./packet_delivery_rules.ts";
import { packetDetector } from "./packet_rules.ts";
import { Packets } from "./packet_states.ts";
import { thingOf } from "./pairing.ts";
import { type PlanShape, shapeOf } from "./plan_shape.ts";
import type { Repeats } from "./repeats.ts";
import { type RuleName, SEVERITIES } from "./rules.ts";
import { saveDetector } from "./save_rules.ts";
import { Saves } from "./save_states.ts";
import { statusDetector } from "./status_rules.ts";
import { sysmemDetector } from "./sysmem_rules.ts";
import { Stores } from "./sysmem_states.ts";
import { waitDetector } from "./wait_rules.ts";
import { WaitGraph } from "./wait_graph.ts";

/** What an audit looks for, and what it does on the way. */
export interface AuditOptions {
  /** A map over a mapping is a warning; default: a note. */
  readonly strictRemap?: boolean;
  /** Rules that are looked for; default: all. */
  readonly rules?: (name: RuleName) => boolean;
  /** Told now and then how many events were read, in the first pass. */
  readonly onProgress?: (events: number) => void;
  /** How many findings, from the first, get the evidence of a second pass; 0: none. Default 256. */
  readonly evidenceLimit?: number;
  /** Told, often more than once, each documented clause that the trace shows, as `clauseName` names it. */
  readonly onClause?: (name: string) => void;
}

/** Finds what is wrong in a trace. Same trace, same findings, in the same order: by severity, then by event. */
export function audit(trace: Trace, options: AuditOptions = {}): AuditResult {
  const { onProgress, evidenceLimit = EVIDENCE_LIMIT } = options;
  if (!Number.isSafeInteger(evidenceLimit) || evidenceLimit < 0) {
    throw new RangeError(`Cannot audit with evidenceLimit ${evidenceLimit}: wanted a whole number from 0 on`);
  }
  const rules = options.rules ?? (() => true);
  const context = new Context(trace, { strictRemap: options.strictRemap === true, rules });
  const first = new FirstPass(context, detectorsFor(context, options));
  walk(trace, first, onProgress === undefined ? {} : { onProgress });
  first.end();
  const findings = findingsOf(context).sort(bySeverity);
  return {
    events: trace.eventCount,
    complete: trace.complete,
    findings: withEvidence(trace, findings, { limit: evidenceLimit, hasWrites: first.hasWrites }),
    pairing: context.pairing.toRecord(),
    off: rulesOff(trace).filter(({ rule }) => rules(rule)),
  };
}

/**
 * Every detector, in the order that they are asked: those that keep states stand before those that ask for them, and after
 * those that ask how things were before a call.
 */
function detectorsFor({ header, objects }: Context, { onClause }: AuditOptions): readonly Detector[] {
  const channels = new ChannelStates(header);
  const gpadls = new Gpadls(objects);
  const stores = new Stores({ channels, gpadls });
  const pages = new GuestPages(objects);
  const memory = new MemoryWatch({ gpadls, pages, objects });
  const packets = new Packets(channels, header);
  const deliveries = new Deliveries({ channels, packets, header });
  const saves = new Saves();
  const waits = new WaitGraph({ channels, gpadls, deliveries });
  const world = new GpuWorld();
  return [
    ...(onClause === undefined ? [] : [exerciseDetector({ channels, packets, deliveries }, onClause)]),
    statusDetector({ channels, packets, saves }),
    saveDetector(saves, packets),
    channelDetector(channels),
    waits.detector(),
    sysmemDetector({ channels, gpadls, stores }),
    gpadlDetector({ channels, gpadls, pages, stores, waits, memory, objects }),
    memoryDetector(memory),
    packetDetector({ channels, packets, pages }),
    waitDetector({ channels, deliveries, packets, waits }),
    deliveryDetector(channels, deliveries, waits),
    irqlDetector(deliveries),
    handleDetector(),
    gpuProcesses(world),
    gpuVaDetector(world),
    gpuUpdateDetector(world),
    gpuResidencyDetector(world),
    gpuWorkDetector(world),
    gpuQueueDetector(),
    gpuHandleDetector(),
    gpuPendingDetector(),
    gpuObjectDetector(),
    leakRateDetector(),
    observationDetector(),
  ];
}

/** Rules that need what only the model promises. */
function rulesOff(trace: Trace): AuditResult["off"] {
  if (trace.header.maker === "engine") return rulesOfLeftOut(trace.header);
  const reason = "which pages are given out again is known of the model's memory only";
  return [{ rule: "guest-page-reused-while-shared", reason }, ...observationLimits(trace.header)];
}

/** Kinds that break a rule where they are left; buffers and MDLs go with their partition. */
const LEAKED: ReadonlySet<ObjectKind> = new Set<ObjectKind>(["channel", "kernelHandle", "interface"]);

/** What is told of calls. */
interface Hooks {
  readonly called: readonly CallHook[];
  readonly returned: readonly CallHook[];
}

/** Who hears calls of a shape, and what they do by themselves: most calls matter to few families. */
interface Route {
  /** Of a whole call; of one that waits, where more may hear of it. */
  readonly whole: Hooks;
  readonly waiting: Hooks;
  /** Takes what it makes, null: nothing. */
  readonly make: ((call: CallView) => void) | null;
  readonly ends: boolean;
  /** What it ends may be of a kind that no detector counts. */
  readonly isCounted: boolean;
  readonly isExit: boolean;
  readonly isUnload: boolean;
  /** Who takes a call that is nothing out of the ordinary, and who has to agree; null: nobody. */
  readonly plain: { readonly take: CallQuestion; readonly idle: readonly CallQuestion[] } | null;
}

class FirstPass implements Walker {
  readonly hearsMemory = false;
  readonly #context: Context;
  readonly #detectors: readonly Detector[];
  readonly #routes = new ByPlan((plan) => this.#compile(shapeOf(plan)));
  readonly #enders = new Map<ObjectKind, readonly Detector[]>();

  /** The CPU wrote to memory, so that somebody can have written it last. */
  hasWrites = false;

  constructor(context: Context, detectors: readonly Detector[]) {
    this.#context = context;
    this.#detectors = detectors;
  }

  hears(shape: PlanShape): boolean {
    const { waiting: { called, returned }, make, ends, isExit } = this.#routes.of(shape.plan);
    return called.length + returned.length > 0 || make !== null || ends || isExit || shape.isWrite;
  }

  hearsCallback(plan: CallPlan): boolean {
    return this.#detectors.some(({ hearsCallback, callback, callbackReturned }) =>
      hearsCallback?.(plan) ?? (callback !== undefined || callbackReturned !== undefined)
    );
  }

  take(call: JoinedCall): boolean {
    const context = this.#context;
    const { plain } = this.#routes.of(call.plan);
    if (plain === null || !call.succeeded) return false;
    context.position = call.event;
    const { idle, take } = plain;
    for (let index = 0; index < idle.length; index += 1) if (idle[index]?.(call, context) !== true) return false;
    return take(call, context);
  }

  called(call: JoinedCall): void {
    const context = this.#context;
    context.position = call.event;
    const { make, whole, waiting } = this.#routes.of(call.plan);
    if (make !== null && call.succeeded) make(call);
    const { called } = call.returnedAt === 0 ? waiting : whole;
    for (let index = 0; index < called.length; index += 1) called[index]?.(call, context);
  }

  returned(call: JoinedCall): void {
    const context = this.#context;
    const { returnedAt, succeeded } = call;
    context.position = returnedAt;
    const { make, ends, isCounted, isExit, isUnload, whole, waiting } = this.#routes.of(call.plan);
    const isWhole = returnedAt === call.event;
    if (make !== null && succeeded && !isWhole) make(call);
    const { returned } = isWhole ? whole : waiting;
    for (let index = 0; index < returned.length; index += 1) returned[index]?.(call, context);
    if (!succeeded) return;
    if (call.shape.isWrite) this.hasWrites = true;
    if (ends) {
      if (isCounted) this.#countUnmatched(call);
      this.#ended(context.objects.destroy(call), call);
    }
    if (isExit) this.#exited(call);
    if (isUnload) this.#unloaded(call);
  }

  callback(event: TraceEvent): void {
    this.#context.position = event.event;
    this.#context.running.set(event.event, event);
    for (const detector of this.#detectors) detector.callback?.(event, this.#context);
  }

  callbackReturned(callback: TraceEvent, returned: TraceEvent): void {
    this.#context.position = returned.event;
    this.#context.running.delete(callback.event);
    for (const detector of this.#detectors) detector.callbackReturned?.(callback, this.#context, returned);
  }

  memory(): void {}

  /** The trace is over. */
  end(): void {
    for (const detector of this.#detectors) detector.end?.(this.#context);
    const isCertain = this.#context.leakVerdict() === "certain";
    for (const kind of this.#context.objects.kinds()) {
      const thing = thingOf(kind);
      if (thing === null) continue;
      const isLeaked = isCertain && LEAKED.has(kind);
      for (let left = this.#context.objects.count(kind); left > 0; left -= 1) {
        this.#context.pairing.left(thing, isLeaked);
      }
    }
  }

  #compile(shape: PlanShape): Route {
    const heard = this.#detectors.flatMap((detector) => {
      const listener = listenerOf(detector, shape);
      return listener === null ? [] : [{ detector, listener }];
    });
    const listeners = heard.map(({ listener }) => listener);
    const enders = shape.destroys.flatMap(({ param: { kind } }) => kind === null ? [] : this.#endersOfKind(kind));
    const isHeardAtEnds = enders.every((ender) => heard.some(({ detector }) => detector === ender));
    return {
      whole: hooksOf(listeners.filter(({ isOfWaits }) => isOfWaits !== true)),
      waiting: hooksOf(listeners),
      make: shape.creates.length === 0 ? null : this.#context.objects.maker(shape),
      ends: shape.destroys.length > 0,
      isCounted: shape.destroys.some(({ param: { kind } }) => kind === null || thingOf(kind) !== null),
      isExit: isProcessExit(shape.plan),
      isUnload: shape.plan.name === UNLOAD,
      plain: isHeardAtEnds ? plainOf(listeners.filter(({ isOfWaits }) => isOfWaits !== true)) : null,
    };
  }

  #ended(objects: readonly Ended[], call: JoinedCall): void {
    if (objects.length === 0) return;
    for (const detector of this.#endersOf(objects)) detector.ended?.(objects, this.#context, call);
  }

  /** Who hears of the end of any of these. */
  #endersOf(objects: readonly Ended[]): readonly Detector[] {
    const [first] = objects;
    if (first !== undefined && objects.length === 1) return this.#endersOfKind(first.ref.kind);
    const heard = new Set(objects.flatMap(({ ref }) => this.#endersOfKind(ref.kind)));
    return this.#detectors.filter((detector) => heard.has(detector));
  }

  #endersOfKind(kind: ObjectKind): readonly Detector[] {
    const known = this.#enders.get(kind);
    if (known !== undefined) return known;
    const made = this.#detectors.filter(({ ended, hearsEnd }) => ended !== undefined && (hearsEnd?.(kind) ?? true));
    this.#enders.set(kind, made);
    return made;
  }

  /** An end that succeeded, of an object that was never seen to begin. */
  #countUnmatched(call: JoinedCall): void {
    for (const { subject } of call.shape.destroys) {
      for (const ref of operandRefs(call, subject)) {
        const thing = thingOf(ref.kind);
        if (thing === null || this.#context.objects.find(ref) !== undefined) continue;
        this.#context.pairing.unmatchedEnd(thing, this.#context.historyVerdict() !== "certain");
      }
    }
  }

  #unloaded(call: JoinedCall): void {
    const { objects } = this.#context;
    for (const { ref } of objects.all("gpadl")) this.#ended(objects.end(ref, call.returnedAt), call);
  }

  #exited(call: JoinedCall): void {
    const side = exitedSide(call);
    if (side !== null) this.#ended(this.#context.objects.endProcess(side, call.returnedAt), call);
  }
}

/** Who takes plain calls, where all others can say that they are idle. */
function plainOf(listeners: readonly Listener[]): Route["plain"] {
  const taker = listeners.find(({ take }) => take !== undefined);
  const others = listeners.filter((each) => each !== taker && (each.called ?? each.returned) !== undefined);
  const idle = others.flatMap(({ isIdle }) => isIdle ?? []);
  return taker?.take === undefined || idle.length < others.length ? null : { take: taker.take, idle };
}

function hooksOf(listeners: readonly Listener[]): Hooks {
  return {
    called: listeners.flatMap(({ called }) => called ?? []),
    returned: listeners.flatMap(({ returned }) => returned ?? []),
  };
}

/** What was reported; the first note of a defect tells how many were not listed. */
function findingsOf(context: Context): Finding[] {
  context.tellSiblings();
  const told = new Set<string>();
  return context.findings.map((finding) => {
    if (finding.severity !== "note") return finding;
    const defect = defectOf(finding.fingerprint, finding.verdict);
    const repeats = told.has(defect) ? undefined : context.notes.find(defect);
    told.add(defect);
    return repeats === undefined || repeats.repeated === 0 ? finding : withRepeats(finding, repeats);
  });
}

function withRepeats(finding: Finding, { repeated, lastEvent }: Repeats): Finding {
  const message = `${finding.message}; ${repeated} more like it, up to @${lastEvent}, are counted and not listed`;
  return { ...finding, message, repeated };
}

const RANKS: ReadonlyMap<string, number> = new Map(SEVERITIES.map((severity, rank) => [severity, rank]));

function bySeverity(left: Finding, right: Finding): number {
  if (left.severity === right.severity) return left.event - right.event;
  return (RANKS.get(left.severity) ?? 0) - (RANKS.get(right.severity) ?? 0);
}
