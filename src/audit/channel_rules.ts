// Rules of a channel's life (L): who calls, on which handle, in which state, from where. Conditions: kmcl.md 1.2, 2.1, 2.9; what
// its table 0.1 lets in and wants told are L-14 and L-15, which the catalogue has not.
// One misuse is one finding, the most specific: wrong end, then dead handle, then another end's handle, then state.

import { type CallName, printObject, type Ref } from "../api/mod.ts";
import type { TraceEvent } from "../trace/mod.ts";
import {
  isForOneEnd,
  isInitSetter,
  isLetIn,
  isModelled,
  isOfGuest,
  isStateCallback,
  PAUSE,
  refOf,
  START,
  wrongEnd,
} from "./call_shapes.ts";
import { type ChannelRecord, ChannelStates } from "./channel_states.ts";
import type { AuditContext, CallView, Detector, FindingDraft } from "./detector.ts";
import { creationOf, type Tracked } from "./object_table.ts";
import type { PlanShape } from "./plan_shape.ts";
import type { RuleName } from "./rules.ts";
import { placeText } from "./wording.ts";

const SET_MMIO: CallName = "VmbServerChannelInitSetMmioMegabytes";

/** Watches channels; it also keeps the states that other rules ask for. */
export function channelDetector(channels: ChannelStates): Detector {
  return {
    listen(shape) {
      if (!shape.names("channel") && !isForOneEnd(shape.plan) && !isOfGuest(shape.plan)) return null;
      const right = isJudgedByState(shape) ? new RightUse(channels) : null;
      const isActing = ChannelStates.hears(shape);
      return {
        called(call, context) {
          if (right === null || !right.isAgain(call)) judge(call, channels, { right, context });
          if (isActing) channels.called(call);
        },
        ...(right !== null && !isActing && { isIdle: (call) => right.isAgain(call) }),
        ...(isActing && { returned: (call) => channels.returned(call) }),
      };
    },
    hearsCallback: isStateCallback,
    callback: (event) => channels.callback(event),
    callbackReturned: (callback, _context, returned) => channels.callbackReturned(callback, returned),
    hearsEnd: (kind) => kind === "channel",
    ended(objects) {
      for (const { ref } of objects) if (ref.kind === "channel") channels.ended(ref);
    },
    end(context) {
      for (const channel of context.objects.all("channel")) context.report(leak(channel, context));
    },
  };
}

function judge(
  call: CallView,
  channels: ChannelStates,
  { right, context }: { readonly right: RightUse | null; readonly context: AuditContext },
): void {
  const misuse = handleMisuse(call, context) ?? stateMisuse(call, channels, context) ??
    disagreement(call, channels, context);
  if (misuse === null) {
    // What is right because it was let in says nothing of the next one.
    const state = channels.numbered(call.channel)?.state;
    const isInState = state === undefined || (call.shape.channelNeeds?.includes(state) ?? true);
    if (isInState || !isLetIn(call, context)) right?.note(call);
  } else if (isModelled(call.plan)) context.report(misuse);
}

/** Whether rules look at nothing of a call but its side, and its channel and that one's state. */
function isJudgedByState({ plan: { name }, channelVerb }: PlanShape): boolean {
  return channelVerb === null && name !== START && name !== PAUSE && name !== SET_MMIO;
}

/**
 * The newest call of a shape that was at its end and in time: another one by the same side on the same channel, which is in the
 * same state, is so too. Most calls are like the one before.
 */
export class RightUse {
  readonly #channels: ChannelStates;
  #record: ChannelRecord | undefined = undefined;
  #state = "";
  #side = "";

  constructor(channels: ChannelStates) {
    this.#channels = channels;
  }

  /** Whether a call is like that one. */
  isAgain(call: CallView): boolean {
    const record = this.#record;
    return record !== undefined && record.state === this.#state && call.side === this.#side &&
      this.#channels.numbered(call.channel) === record;
  }

  /** Notes a call; one on a channel that is not known is like no other. */
  note(call: CallView): void {
    this.#record = this.#channels.numbered(call.channel);
    this.#state = this.#record?.state ?? "";
    this.#side = call.side;
  }
}

/** A call at the wrong end, or on a channel that is dead or another end's (L-09, L-03, L-04); null: none. */
export function handleMisuse(call: CallView, context: AuditContext): FindingDraft | null {
  const elsewhere = wrongEndpoint(call, context);
  if (elsewhere !== null) return elsewhere;
  const number = call.channel;
  if (number < 0 || context.objects.sideOf("channel", number) === call.side) return null;
  const ref = call.objectAt(call.shape.at.channel);
  if (ref === null) return null;
  const channel = context.objects.find(ref);
  if (channel === undefined) return null;
  return channel.endedAt > 0
    ? deadChannel(ref, channel, { call, context })
    : otherEndsChannel(ref, channel, { call, context });
}

interface Place {
  readonly call: CallView;
  readonly context: AuditContext;
}

function wrongEndpoint(call: CallView, context: AuditContext): FindingDraft | null {
  const { plan, side } = call;
  const meant = wrongEnd(call);
  if (meant !== null) {
    return misuse("wrong-endpoint", { call, context }, `${plan.name} belongs to the ${meant}; the ${side} called it`);
  }
  if (call.shape.channelVerb !== "create" || (side !== "client" && side !== "server")) return null;
  const made = call.in("bool") === true ? "server" : "client";
  return made === side
    ? null
    : misuse("wrong-endpoint", { call, context }, `The ${side} allocated a channel for the ${made}'s end`);
}

function deadChannel(ref: Ref, channel: Tracked, { call, context }: Place): FindingDraft {
  const isCleanup = call.shape.channelVerb === "destroy";
  const how = isCleanup ? "cleaned up again" : `used by ${call.plan.name}`;
  return {
    ...misuse(
      isCleanup ? "channel-double-cleanup" : "channel-use-after-cleanup",
      { call, context },
      `${printObject(ref)} was ${how} after its cleanup @${channel.endedAt}`,
    ),
    evidence: [
      creationOf(channel),
      { event: channel.endedAt, role: "deleted", site: null, call: "", side: channel.side },
      context.evidence(call, isCleanup ? "deleted" : "used"),
    ],
  };
}

function otherEndsChannel(ref: Ref, channel: Tracked, { call, context }: Place): FindingDraft | null {
  if (channel.side === call.side) return null;
  if (call.side !== "client" && call.side !== "server") return null;
  const text = `${printObject(ref)} is the ${channel.side}'s end; the ${call.side} called ${call.plan.name} on it`;
  return misuse("wrong-endpoint", { call, context }, text);
}

function stateMisuse(call: CallView, channels: ChannelStates, context: AuditContext): FindingDraft | null {
  const record = channels.find(call.objectAt(call.shape.at.channel));
  if (record === undefined || isLetIn(call, context)) return null;
  const { plan } = call;
  if (plan.name === START || plan.name === PAUSE) return windowMisuse(call, record, context);
  const rule = stateRule(call, record);
  if (rule === null) return null;
  const wanted = (call.shape.channelNeeds ?? []).join(" or ");
  return misuse(rule, { call, context }, `${plan.name} on ${stateText(record)}; wanted: ${wanted}`);
}

function stateRule({ plan, shape }: CallView, { state, waitingDisables }: ChannelRecord): RuleName | null {
  const needs = shape.channelNeeds;
  const verb = shape.channelVerb;
  if (verb === "destroy" && waitingDisables > 0) return "channel-cleanup-not-disabled";
  if (needs === null || needs.includes(state)) return null;
  if (verb === "destroy") return "channel-cleanup-not-disabled";
  if (verb === "open") return "channel-double-enable";
  if (isInitSetter(plan)) return "channel-init-after-enable";
  const isOpenCall = needs.includes("open") && !needs.includes("enabled");
  return isOpenCall && shape.gpadlVerb === null ? "channel-not-open" : null;
}

/** Start and Pause: after Enable, before Disable, not inside a state-change callback. */
function windowMisuse(call: CallView, record: ChannelRecord, context: AuditContext): FindingDraft | null {
  const inside = stateCallbackOf(context.runningCallback(call.insideCallback), record);
  if (inside !== null) {
    const text = `${call.plan.name} on ${printObject(record.ref)} inside its ${inside.plan?.name} @${inside.event}`;
    return {
      ...misuse("channel-start-pause-in-callback", { call, context }, text),
      shape: inside.plan?.name ?? "",
    };
  }
  const isInState = call.shape.channelNeeds?.includes(record.state) ?? true;
  if (isInState && !record.isDisabling) return null;
  const text = `${call.plan.name} on ${stateText(record)}; wanted: between Enable and Disable`;
  return misuse("channel-start-outside-enable", { call, context }, text);
}

/** What one document allows and another does not, read as kmcl.md 0.1 recommends: it is let in, and told (X3, X10). */
function disagreement(call: CallView, channels: ChannelStates, context: AuditContext): FindingDraft | null {
  const record = channels.find(call.objectAt(call.shape.at.channel));
  if (record === undefined || call.outcome === null || !call.succeeded) return null;
  const { plan, ins } = call;
  if (plan.name === PAUSE && record.state === "disabled") {
    const text = `${printObject(record.ref)} was paused while it was disabled: its next Enable leaves it paused`;
    return misuse("pause-while-disabled", { call, context }, text);
  }
  if (plan.name !== SET_MMIO) return null;
  const [required, optional] = plan.ins.flatMap(({ word }, index) => word === "u16" ? [ins[index]] : []);
  if (required !== 0 || optional === 0) return null;
  const text = `${printObject(record.ref)} asks for 0 megabytes of MMIO space and ${optional} optional ones`;
  return misuse("mmio-optional-only", { call, context }, text);
}

function stateCallbackOf(callback: TraceEvent | undefined, { ref }: ChannelRecord): TraceEvent | null {
  if (callback?.plan == null || !isStateCallback(callback.plan)) return null;
  return refOf(callback.ins, "channel")?.number === ref.number ? callback : null;
}

function stateText({ ref, state, since, waitingDisables }: ChannelRecord): string {
  const name = printObject(ref);
  if (state === "disabled" && waitingDisables > 0) return `${name}, whose Disable has not returned`;
  return `${name}, which is ${state} since @${since}`;
}

function misuse(
  rule: RuleName,
  { call, context }: { readonly call: CallView; readonly context: AuditContext },
  message: string,
): FindingDraft {
  const object = call.object("channel");
  const channel = object === null ? undefined : context.objects.find(object);
  const created = channel === undefined ? [] : [creationOf(channel)];
  return { rule, message, event: call.event, object, evidence: [...created, context.evidence(call, "used")] };
}

function leak(channel: Tracked, context: AuditContext): FindingDraft {
  const created = creationOf(channel);
  return {
    rule: "channel-leak",
    message: `${printObject(channel.ref)}, allocated by the ${channel.side} ${
      placeText(created)
    }, was never cleaned up`,
    event: channel.createdAt,
    object: channel.ref,
    evidence: [created],
    verdict: context.leakVerdict(),
  };
}
