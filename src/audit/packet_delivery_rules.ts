// Rules of delivered packets (P-06, P-23 to P-31) and of how many there may be (Q). Conditions: kmcl.md 2.5, 2.9, 6.1.
// One misuse is one finding, the most specific.
//
// Decisions where the documents leave room:
// - P-06 is looked for at the end: a Pause, Disable or unload waits, and packets that were delivered to that end, else to its peer,
//   are not completed. Those packets are not P-23 as well. That of a request is, and says that the request waits for ever.
// - A packet that will be delivered again (deferred, STATUS_PENDING) is not the driver's to complete: no P-23.
// - P-24 is also a PacketFail after the completion; P-25 also a GetExternalData after it. A defer after it is P-27.
// - P-28: a delivery on a channel between PacketFail and its next connection; on the failed packet itself all but one
//   completion, and with `fail-then-complete=ends` that too. Completing others is no misuse: Suspend asks for it.
// - Whether a failed packet must be completed is our model's option; of another system nobody knows, so it is no P-23.
// - P-29 is FreeMdl before the completion and after it.
// - Q-02: the quota was raised while it held the queue, and neither a completion nor a delivery came until Suspend or the end.

import { type CallName, isRef, printObject, type Ref } from "../api/mod.ts";
import type { TraceEvent } from "../trace/mod.ts";
import { isJudged, isStateCallback, PAUSE, refOf, UNLOAD } from "./call_shapes.ts";
import type { ChannelStates } from "./channel_states.ts";
import {
  type Deliveries,
  type DeliveryRecord,
  type DeliveryRole,
  deliveryRoleOf,
  type Raise,
} from "./delivery_states.ts";
import type { AuditContext, CallView, Detector, FindingDraft } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import { evidenceOf } from "./join.ts";
import { aboutCall, othersObject } from "./packet_drafts.ts";
import { PROCESS_PACKET } from "./packet_shapes.ts";
import type { PlanShape } from "./plan_shape.ts";
import type { RuleName } from "./rules.ts";
import type { WaitGraph } from "./wait_graph.ts";
import { countText, handleText, placeText } from "./wording.ts";

const SET_QUOTA: CallName = "VmbChannelSetTransactionQuota";
const SUSPEND = "EvtVmbChannelSuspend";
/** Packets that one wait names, at most. */
const MAX_HOLDERS = 8;

/** Watches delivered packets. It must stand after the detector of packet objects, whose states it asks. */
export function deliveryDetector(channels: ChannelStates, deliveries: Deliveries, waits: WaitGraph): Detector {
  const watch = new DeliveryWatch(channels, deliveries, waits);
  return {
    hears: (shape) =>
      deliveryRoleOf(shape) !== null || shape.at.mdl >= 0 || isWait(shape) || shape.plan.name === SET_QUOTA,
    hearsCallback: (plan) => plan.name === PROCESS_PACKET || isStateCallback(plan),
    called: (call, context) => watch.called(call, context),
    returned: (call, context) => watch.returned(call, context),
    callback: (event, context) => watch.callback(event, context),
    callbackReturned: (callback, context, { event }) => deliveries.callbackReturned(callback, event, context),
    hearsEnd: (kind) => kind === "channel",
    ended(objects) {
      for (const { ref } of objects) if (ref.kind === "channel") deliveries.channelEnded(ref);
    },
    end: (context) => watch.end(context),
  };
}

/** A call that may wait for packets. */
function isWait({ channelVerb, plan }: PlanShape): boolean {
  return channelVerb === "close" || plan.name === PAUSE || plan.name === UNLOAD;
}

class DeliveryWatch {
  readonly #channels: ChannelStates;
  readonly #deliveries: Deliveries;
  readonly #graph: WaitGraph;
  /** Pauses and Disables that have not returned, by their event. */
  readonly #waits = new Map<number, CallView>();

  constructor(channels: ChannelStates, deliveries: Deliveries, waits: WaitGraph) {
    this.#channels = channels;
    this.#deliveries = deliveries;
    this.#graph = waits;
  }

  called(call: CallView, context: AuditContext): void {
    if (call.outcome === null && isWait(call.shape)) this.#waits.set(call.event, call);
    const role = deliveryRoleOf(call.shape);
    const misuse = role === null ? this.#otherMisuse(call) : this.#misuse(call, role, context);
    if (misuse !== null && isJudged(call, context)) context.report(misuse);
  }

  returned(call: CallView, context: AuditContext): void {
    this.#waits.delete(call.event);
    const role = deliveryRoleOf(call.shape);
    if (role !== null) this.#deliveries.returned(call, role, context);
    else if (call.plan.name === SET_QUOTA) this.#deliveries.quotaSet(call);
  }

  callback(event: TraceEvent, context: AuditContext): void {
    const channel = refOf(event.ins, "channel");
    if (channel === null) return;
    if (event.plan?.name === PROCESS_PACKET) return this.#delivery(event, channel, context);
    if (event.plan?.name !== SUSPEND) return;
    const raise = this.#deliveries.takeRaise(channel);
    if (raise !== null) context.report(heldRaise(raise, "its Suspend came first"));
  }

  end(context: AuditContext): void {
    const verdict = context.leakVerdict();
    const blamed = new Set<DeliveryRecord>();
    for (const call of this.#waits.values()) this.#reportHang(call, blamed, context);
    for (const record of this.#deliveries.live()) {
      const isLeft = mustBeCompleted(record, context);
      context.pairing.left("completion", isLeft && verdict === "certain");
      if (isLeft && !blamed.has(record)) context.report({ ...neverCompleted(record, this.#graph), verdict });
    }
    for (const raise of this.#deliveries.raises()) {
      context.report({ ...heldRaise(raise, "the trace ended"), verdict });
    }
  }

  #delivery(event: TraceEvent, channel: Ref, context: AuditContext): void {
    const stopped = this.#deliveries.stoppedBy(channel);
    const record = this.#deliveries.callback(event, context);
    if (stopped === null || record === null) return;
    context.report({
      rule: "packet-traffic-after-fail",
      message: `${printObject(record.ref)} was delivered on ${printObject(channel)}, whose queue was stopped ${
        placeText(stopped)
      }`,
      event: event.event,
      object: record.ref,
      evidence: [stopped, record.delivered],
    });
  }

  #otherMisuse(call: CallView): FindingDraft | null {
    if (call.plan.name === SET_QUOTA) return quotaZero(call);
    const mdl = call.objectAt(call.shape.at.mdl);
    return mdl === null ? null : this.#mdlMisuse(call, mdl);
  }

  /** The MDL of external data: the library's, and gone with the completion (P-25, P-29). */
  #mdlMisuse(call: CallView, mdl: Ref): FindingDraft | null {
    const isFree = call.shape.verbOn("mdl") === "destroy";
    const record = this.#deliveries.ofMdl(mdl);
    if (record !== undefined) {
      return isFree ? freedMdl(call, mdl, { of: record.ref.number, before: [record.delivered] }) : null;
    }
    const dead = this.#deliveries.deadMdl(mdl);
    if (dead === null) return null;
    const before = [endedAt(dead.event, call)];
    if (isFree) return freedMdl(call, mdl, { of: dead.completion, before });
    const text = `${printObject(mdl)}, external data of completion#${dead.completion}, was used by ${call.plan.name} ` +
      `after the completion @${dead.event}`;
    return aboutCall("packet-mdl-use-after-complete", call, { text, object: mdl, before });
  }

  #misuse(call: CallView, role: DeliveryRole, context: AuditContext): FindingDraft | null {
    const value = call.in("completion");
    if (!isRef(value)) {
      const text = `${call.plan.name} of ${handleText(value)}, which names no delivered packet`;
      return role === "complete" ? aboutCall("packet-double-complete", call, { text }) : null;
    }
    const record = this.#deliveries.find(value);
    if (record === undefined) return this.#deadMisuse(call, role, value);
    return othersObject(call, value, record.delivered.side) ?? liveMisuse(call, role, { record, context });
  }

  #deadMisuse(call: CallView, role: DeliveryRole, ref: Ref): FindingDraft | null {
    const end = this.#deliveries.endOf(ref);
    if (end === null) return null;
    const name = printObject(ref);
    const ended = `${end.how} @${end.event}`;
    const about = (rule: RuleName, text: string) =>
      aboutCall(rule, call, { text, object: ref, before: [endedAt(end.event, call)] });
    if (end.how === "failed") {
      return about("packet-traffic-after-fail", `${call.plan.name} of ${name}, which ended when it was ${ended}`);
    }
    if (role === "external-data") {
      return about("packet-mdl-use-after-complete", `The external data of ${name} was asked for; it was ${ended}`);
    }
    if (role === "defer") return about("packet-defer-and-complete", `${name} was deferred; it was ${ended}`);
    const again = role === "fail" ? "failed" : "completed again";
    return about("packet-double-complete", `${name} was ${again}; it was ${ended}`);
  }

  #reportHang(call: CallView, blamed: Set<DeliveryRecord>, context: AuditContext): void {
    const channel = call.objectAt(call.shape.at.channel);
    const holders = channel === null ? this.#holdersOfUnload(call) : this.#holdersOf(call, channel);
    const [first] = holders;
    if (first === undefined) return;
    for (const each of holders) blamed.add(each);
    const more = holders.length > 1 ? ` and ${countText(holders.length - 1, "other")}` : "";
    const blocked = evidenceOf(call, "blocked");
    const named = holders.slice(0, MAX_HOLDERS);
    const cycle = this.#graph.cycleOf(call.event);
    context.report({
      rule: "packet-never-completed-hang",
      message:
        `${call.plan.name}${channel === null ? "" : ` of ${printObject(channel)}`} @${call.event} waits for ${
          deliveryText(first)
        }${more}, ` +
        `which nobody completed${cycle === null ? "" : `: ${cycle.text}`}`,
      event: call.event,
      object: first.ref,
      evidence: [
        ...named.flatMap((each) =>
          historyOf(each).map((one) => one.role === "delivered" ? { ...one, role: "holder" } : one)
        ),
        blocked,
        ...cycle?.evidence ?? [],
      ].sort((left, right) => left.event - right.event),
      verdict: context.leakVerdict(),
    });
  }

  #holdersOf(call: CallView, channel: Ref): readonly DeliveryRecord[] {
    const peer = this.#channels.find(channel)?.peer?.ref ?? null;
    const own = this.#outstandingAt(channel);
    return own.length > 0 || peer === null || call.plan.name === PAUSE ? own : this.#outstandingAt(peer);
  }

  /** An unload waits for every connection: packets at either end hold it. */
  #holdersOfUnload({ plan }: CallView): readonly DeliveryRecord[] {
    if (plan.name !== UNLOAD || this.#channels.unload?.isSent === true) return [];
    return [...this.#channels.up()].flatMap(({ ref }) => this.#outstandingAt(ref));
  }

  #outstandingAt(channel: Ref): readonly DeliveryRecord[] {
    return [...this.#deliveries.live()].filter((each) => each.channel.number === channel.number);
  }
}

/** The event that ended something; a second pass fills in the call. */
function endedAt(event: number, { side }: CallView): Evidence {
  return { event, role: "completed", site: null, call: "", side };
}

function freedMdl(
  call: CallView,
  mdl: Ref,
  { of, before }: { readonly of: number; readonly before: readonly Evidence[] },
): FindingDraft {
  const text = `${
    printObject(mdl)
  } was freed by ${call.plan.name}; it is external data of completion#${of} and ends with it`;
  return aboutCall("packet-mdl-freed", call, { text, object: mdl, before });
}

/** Where a delivered packet came from, and what was done with it. */
function historyOf({ sending, delivered, deferred, pending, failed }: DeliveryRecord): readonly Evidence[] {
  return [sending?.sent ?? null, delivered, deferred, pending, failed].filter((each) => each !== null);
}

/** `completion#2 (packet#1, sent @40 at x.ts:12 (send)), delivered to the server @44`. */
function deliveryText({ ref, sending, delivered, channel }: DeliveryRecord): string {
  const what = sending?.packet == null ? "sent" : `${printObject(sending.packet.ref)}, sent`;
  const from = sending === null ? "" : ` (${what} ${placeText(sending.sent)})`;
  return `${printObject(ref)}${from}, delivered on ${printObject(channel)} @${delivered.event}`;
}

function about(
  rule: RuleName,
  call: CallView,
  { record, text }: { readonly record: DeliveryRecord; readonly text: string },
): FindingDraft {
  return aboutCall(rule, call, {
    text: `${printObject(record.ref)} ${text}`,
    object: record.ref,
    before: historyOf(record),
  });
}

function liveMisuse(
  call: CallView,
  role: DeliveryRole,
  { record, context }: { readonly record: DeliveryRecord; readonly context: AuditContext },
): FindingDraft | null {
  const { deferred, pending, failed } = record;
  const { name } = call.plan;
  if (pending !== null) {
    const text = `was used by ${name} after STATUS_PENDING @${pending.event}; it will be delivered again`;
    return about("packet-use-after-pending", call, { record, text });
  }
  if (role === "defer" && !isInside(call, record, context)) {
    return about("packet-defer-outside-callback", call, { record, text: "was deferred outside its ProcessPacket" });
  }
  if (deferred !== null) {
    if (role !== "complete") return null;
    const text = `was completed, but it was deferred @${deferred.event} and will be delivered again`;
    return about("packet-defer-and-complete", call, { record, text });
  }
  if (failed !== null && role !== "complete") {
    return about("packet-traffic-after-fail", call, {
      record,
      text: `was used by ${name}; it failed @${failed.event}`,
    });
  }
  if (role === "external-data" && !record.hasExternalData) {
    const text = "was asked for external data; it was delivered without the flag EXTERNAL_DATA";
    return about("packet-no-external-data", call, { record, text });
  }
  return null;
}

/** In the callback that this packet was delivered by. */
function isInside(call: CallView, { running }: DeliveryRecord, context: AuditContext): boolean {
  return running !== 0 && call.insideCallback === running && context.runningCallback(running) !== undefined;
}

function quotaZero(call: CallView): FindingDraft | null {
  if (call.numberAt(call.shape.in("u32")) !== 0) return null;
  const object = call.objectAt(call.shape.at.channel);
  const text = `${call.plan.name} of ${handleText(call.in("channel"))} with a quota of 0; it must be above 0`;
  return aboutCall("quota-zero", call, { text, object });
}

function heldRaise({ raised, from, to, channel }: Raise, until: string): FindingDraft {
  return {
    rule: "quota-raise-does-not-restart",
    message:
      `The quota of ${printObject(channel)} was raised from ${from} to ${to} ${placeText(raised)} while it held ` +
      `the queue, and no packet was completed since: ${until}`,
    event: raised.event,
    object: channel,
    evidence: [raised],
  };
}

/** Whether the driver has to complete it: it is not the library's, which will deliver it again. */
export function mustBeCompleted({ deferred, pending, failed }: DeliveryRecord, { header }: AuditContext): boolean {
  return deferred === null && pending === null && (failed === null || header.maker === "engine");
}

function neverCompleted(record: DeliveryRecord, waits: WaitGraph): FindingDraft {
  const request = waits.requestHeldBy(record);
  const held = request === null ? "" : `: ${request.plan.name} ${placeText(request)} waits for it for ever`;
  return {
    rule: "packet-never-completed",
    message: `${deliveryText(record)}, was never completed${held}`,
    event: record.delivered.event,
    object: record.ref,
    evidence: historyOf(record),
  };
}
