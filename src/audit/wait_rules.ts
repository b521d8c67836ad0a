// Waits that nothing left in the trace can end: a Pause, a Disable or an unload that a callback holds which never returns, a
// synchronous request that nobody answers, a save or a restore whose driver does not come back. Conditions: kmcl.md 1.3, 2.1,
// 2.4, 6.2. It is looked for at the end, where the graph knows what holds what.
//
// One misuse is one finding:
// - Waits that have rules of their own are those rules': a delete (G-09), packets that are not completed (P-06), a Disable inside
//   the channel's own callback (L-08), a request inside Started (P-22), one whose packet was delivered (P-23), unless it waits
//   for itself in the end. So are all waits behind which one of these stands.
// - Of waits that hold each other the oldest is told; of those that one callback holds, the oldest too.
// - A request with a time-out ends by itself, and so does what waits for it.

import { isRef, printObject, type Ref } from "../api/mod.ts";
import { PAUSE, refOf, UNLOAD } from "./call_shapes.ts";
import type { ChannelStates } from "./channel_states.ts";
import type { Deliveries } from "./delivery_states.ts";
import type { AuditContext, CallView, Detector, FindingDraft } from "./detector.ts";
import type { Verdict } from "./finding.ts";
import { evidenceOf } from "./join.ts";
import { mustBeCompleted } from "./packet_delivery_rules.ts";
import { packetShapeOf } from "./packet_shapes.ts";
import type { Packets } from "./packet_states.ts";
import type { WaitEnd, WaitGraph } from "./wait_graph.ts";
import { placeText } from "./wording.ts";

const STARTED = "EvtVmbChannelStarted";

/** What is asked about waits. */
export interface WaitFolds {
  readonly channels: ChannelStates;
  readonly deliveries: Deliveries;
  readonly packets: Packets;
  readonly waits: WaitGraph;
}

/** Looks at waits when the trace is over; it must stand before the detectors that forget packets then. */
export function waitDetector(folds: WaitFolds): Detector {
  return {
    end(context) {
      for (const draft of hangs(folds, context)) context.report({ ...draft, verdict: verdictOf(draft, context) });
    },
  };
}

/** What nothing in the trace holds may be held by what was there before it began. */
function verdictOf({ shape }: FindingDraft, context: AuditContext): Verdict {
  const verdict = context.leakVerdict();
  return shape === "alone" && verdict === "certain" ? context.historyVerdict() : verdict;
}

/** What becomes of a wait: it is this rule's, another's, or ends by itself. */
type Fate = "hang" | "told" | "ends";

function hangs(folds: WaitFolds, context: AuditContext): readonly FindingDraft[] {
  const calls = [...folds.waits.waiting()].filter(({ plan }) => plan.level === "kmcl" || plan.name === UNLOAD);
  const fates = new Map(calls.map((call) => [call.event, fateOf(call, folds, context)]));
  const toldRoots = new Set<string>();
  return calls.flatMap((call) => {
    if (fates.get(call.event) !== "hang") return [];
    const end = folds.waits.endOf(call);
    if (!isFirst(call, end, fates)) return [];
    const keys = end.roots.map(({ key }) => key);
    if (keys.length > 0 && keys.every((key) => toldRoots.has(key))) return [];
    for (const key of keys) toldRoots.add(key);
    return [hang(call, end, folds)];
  });
}

/** Whether no other wait stands behind this one that is told instead of it. */
function isFirst({ event }: CallView, { waits }: WaitEnd, fates: ReadonlyMap<number, Fate>): boolean {
  const others = [...waits].filter((each) => each !== event);
  if (others.some((each) => fates.get(each) !== "hang")) return false;
  return others.length === 0 || (waits.has(event) && others.every((each) => each > event));
}

function fateOf(call: CallView, folds: WaitFolds, context: AuditContext): Fate {
  const { shape, plan } = call;
  if (shape.gpadlVerb === "destroy") return "told";
  if (plan.name === UNLOAD) return isUnloadTold(folds) ? "told" : "hang";
  const channel = call.objectAt(shape.at.channel);
  if (channel === null) return "told";
  const packet = packetShapeOf(shape);
  if (packet?.role === "request") {
    if (isInOwnStarted(call, channel, folds)) return "told";
    const timeout = call.ins[packet.timeout];
    if (Array.isArray(timeout) && timeout.length > 0) return "ends";
    return isDelivered(call, folds, context) && folds.waits.cycleOf(call.event) === null ? "told" : "hang";
  }
  const isClose = shape.channelVerb === "close";
  if (isClose && isInOwnCallback(call, channel, folds)) return "told";
  return (isClose || plan.name === PAUSE) && areOutstanding(channel, isClose, folds) ? "told" : "hang";
}

/** The peer has the packet of this request, and has to complete it. */
function isDelivered({ event }: CallView, { deliveries }: WaitFolds, context: AuditContext): boolean {
  return [...deliveries.live()].some((each) => each.sending?.sent.event === event && mustBeCompleted(each, context));
}

function isUnloadTold({ channels, deliveries }: WaitFolds): boolean {
  if (channels.unload?.isSent === true) return true;
  return [...deliveries.live()].some(({ channel }) => channels.find(channel)?.isUp === true);
}

function areOutstanding(channel: Ref, withPeer: boolean, { channels, deliveries }: WaitFolds): boolean {
  const peer = withPeer ? channels.find(channel)?.peer?.ref.number ?? 0 : 0;
  return [...deliveries.live()].some((each) => each.channel.number === channel.number || each.channel.number === peer);
}

function isInOwnStarted({ insideCallback }: CallView, channel: Ref, { waits }: WaitFolds): boolean {
  const callback = waits.running(insideCallback);
  return callback?.plan?.name === STARTED && refOf(callback.ins, "channel")?.number === channel.number;
}

/** In any callback of the channel, a routine of its packets included. */
function isInOwnCallback({ insideCallback }: CallView, channel: Ref, { waits, packets }: WaitFolds): boolean {
  const callback = waits.running(insideCallback);
  if (callback === undefined) return false;
  const packet = callback.ins.find((value) => isRef(value) && value.kind === "packet");
  const own = refOf(callback.ins, "channel")?.number ??
    (packet !== undefined && isRef(packet) ? packets.find(packet)?.channel : undefined);
  return own === channel.number;
}

function hang(call: CallView, end: WaitEnd, { channels, waits }: WaitFolds): FindingDraft {
  const object = call.objectAt(call.shape.at.channel);
  const cycle = waits.cycleOf(call.event);
  const [root] = end.roots;
  const why = cycle?.text ?? root?.text ?? `nothing in the trace ends it${stateText(object, channels)}`;
  const of = object === null ? "" : ` of ${printObject(object)}`;
  return {
    rule: "wait-never-ends",
    message: `${call.plan.name}${of}, made by the ${call.side} ${placeText(call)}, waits for ever: ${why}`,
    event: call.event,
    object,
    evidence: [
      evidenceOf(call, "blocked"),
      ...cycle?.evidence ?? end.roots.map(({ evidence }) => evidence),
    ].sort((one, other) => one.event - other.event),
    shape: cycle === null ? root === undefined ? "alone" : "held" : "cycle",
  };
}

/** `: channel#1 is paused`: why a packet does not arrive, as far as states tell. */
function stateText(object: Ref | null, channels: ChannelStates): string {
  const own = channels.find(object);
  if (own === undefined) return "";
  const peer = own.isUp ? own.peer : null;
  const stopped = [own, ...(peer === null ? [] : [peer])].find(({ state, isActive }) => state !== "open" || !isActive);
  if (stopped === undefined) return "";
  return `: ${printObject(stopped.ref)} is ${stopped.state}${stopped.isActive ? "" : ", paused"}`;
}
