// Rules of a channel that look beyond its state: what was ignored (L-10) or forgotten (L-11), and a Disable that waits for
// the callback it is made in (L-08). Conditions: kmcl.md 1.2, 2.1, 2.2, 2.9, rules.md.
//
// Decisions where the documents leave room:
// - L-10: a trace does not show whether a driver looked at a status, only what it did next. A status counts as ignored where
//   the next step makes sense only after a success, in the same state that the failure left: after a failed Enable a call
//   that wants the channel enabled or open, or a synchronous request; after a failed SaveBegin a SaveContinue or SaveEnd;
//   after a failed RestoreFromBuffer an Enable or Start. Another try, a Disable or a Cleanup says that it was looked at.
//   Steps that break a rule of their own break it besides.
// - A SaveContinue that failed and SaveEnd: S-04 (save_rules.ts). VmbChannelSetInterruptLatency has no next step.
// - L-11 looks at an Enable of a disabled channel. Our model lets it succeed, so one that failed in its traces was made to.
// - L-08: state-change and packet callbacks of the channel, its packets' completion routines; a channel that is disabled
//   already has nothing to wait for.

import { type CallName, type CallPlan, printObject, STATUS, statusName } from "../api/mod.ts";
import { isJudged, isStateCallback, refOf, START } from "./call_shapes.ts";
import { handleMisuse } from "./channel_rules.ts";
import type { ChannelRecord, ChannelStates } from "./channel_states.ts";
import type { AuditContext, CallView, Detector, FindingDraft } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import { evidenceOf } from "./join.ts";
import { aboutCall } from "./packet_drafts.ts";
import { packetShapeOf } from "./packet_shapes.ts";
import type { PlanShape } from "./plan_shape.ts";
import type { Packets } from "./packet_states.ts";
import { type SaveRole, saveRoleOf, type Saves, statusOf } from "./save_states.ts";
import { placeText } from "./wording.ts";

const ENABLE: CallName = "VmbChannelEnable";

/** Folds that these rules ask. */
export interface StatusFolds {
  readonly channels: ChannelStates;
  readonly packets: Packets;
  readonly saves: Saves;
}

interface Failure {
  readonly role: "enable" | SaveRole;
  readonly made: Evidence;
  readonly status: number;
}

/** Watches channels' statuses. It must stand before the detectors that keep the states it asks: it wants them as they were before a call. */
export function statusDetector(folds: StatusFolds): Detector {
  const failures = new Map<number, Failure>();
  return {
    listen(shape) {
      if (!shape.names("channel")) return null;
      const { channelVerb } = shape;
      const isAlwaysLookedAt = channelVerb === "open" || channelVerb === "close";
      const role = roleOf(shape);
      const canFail = role !== null && shape.plan.declaration.mustInspect === true;
      return {
        called(call, context) {
          if (isAlwaysLookedAt || failures.size > 0) judge(call, failures, { folds, context });
        },
        ...(!isAlwaysLookedAt && !canFail && { isIdle: () => failures.size === 0 }),
        ...(canFail && { returned: (call) => noteFailure(call, role, { failures, saves: folds.saves }) }),
      };
    },
    hearsCallback: (plan) => isOfChannel(plan),
    hearsEnd: (kind) => kind === "channel",
    ended(objects) {
      for (const { ref } of objects) if (ref.kind === "channel") failures.delete(ref.number);
    },
  };
}

/** A callback whose channel may wait for it. */
function isOfChannel(plan: CallPlan): boolean {
  if (!plan.isCallback || plan.level !== "kmcl") return false;
  return isStateCallback(plan) || plan.ins.some(({ kind }) => kind === "completion" || kind === "packet") ||
    plan.ins.every(({ kind, word }) => kind === "channel" || word === "u32");
}

function judge(
  call: CallView,
  failures: Map<number, Failure>,
  { folds, context }: { readonly folds: StatusFolds; readonly context: AuditContext },
): void {
  if (!isJudged(call, context) || handleMisuse(call, context) !== null) return;
  const record = folds.channels.find(call.objectAt(call.shape.at.channel));
  if (record === undefined) return;
  const ignored = ignoredStatus(call, record, failures);
  const drafts = [ignored, initMissing(call, record, context), disableInCallback(call, record, { folds, context })];
  for (const draft of drafts) if (draft !== null) context.report(draft);
}

/** Keeps a failure that must be inspected, until the next try. */
function noteFailure(
  call: CallView,
  role: Failure["role"],
  { failures, saves }: { readonly failures: Map<number, Failure>; readonly saves: Saves },
): void {
  const channel = call.objectAt(call.shape.at.channel);
  if (channel === null) return;
  const status = statusOf(call);
  // A nested SaveBegin fails rightly, and the save goes on.
  const isHarmless = call.succeeded || status === STATUS.STATUS_MORE_PROCESSING_REQUIRED ||
    (role === "begin" && saves.openOf(channel) !== undefined);
  if (isHarmless) failures.delete(channel.number);
  else failures.set(channel.number, { role, made: evidenceOf(call, "failed"), status });
}

function roleOf(shape: PlanShape): Failure["role"] | null {
  const role = shape.channelVerb === "open" ? "enable" : saveRoleOf(shape);
  return role === "continue" ? null : role;
}

function ignoredStatus(
  call: CallView,
  record: ChannelRecord,
  failures: Map<number, Failure>,
): FindingDraft | null {
  const failure = failures.get(record.ref.number);
  if (failure === undefined) return null;
  const { channelVerb: verb } = call.shape;
  if (verb === "close" || verb === "destroy") failures.delete(record.ref.number);
  if (!goesOn(call, record, failure)) return null;
  failures.delete(record.ref.number);
  const { made, status } = failure;
  const text = `${call.plan.name} of ${printObject(record.ref)} as if ${made.call} ${placeText(made)} had succeeded; ` +
    `it answered ${statusName(status)}`;
  return aboutCall("status-ignored", call, { text, object: record.ref, before: [made] });
}

/** Whether a call makes sense only if what failed had succeeded. */
function goesOn(call: CallView, { state }: ChannelRecord, { role }: Failure): boolean {
  const { channelNeeds: needs, channelVerb: verb } = call.shape;
  if (role === "restore") return verb === "open" || call.plan.name === START;
  if (role === "begin") {
    const next = saveRoleOf(call.shape);
    return next === "continue" || next === "end";
  }
  if (role !== "enable" || state !== "disabled" || verb !== null) return false;
  if (packetShapeOf(call.shape)?.role === "request") return true;
  return needs !== null && !needs.includes("disabled");
}

/** L-11: a server offers an interface, a client asks for one. */
function initMissing(
  call: CallView,
  { ref, state, isServer, identity: [type] }: ChannelRecord,
  { header }: AuditContext,
): FindingDraft | null {
  if (call.plan.name !== ENABLE || state !== "disabled" || type !== null) return null;
  if (!call.succeeded && header.maker === "engine") return null;
  const text = `${printObject(ref)} was enabled ${
    isServer
      ? "without VmbServerChannelInitSetTargetInterfaceId: nobody can find it"
      : "without VmbClientChannelInitSetTargetPnp: it looks for nothing"
  }`;
  return aboutCall("channel-init-missing", call, { text, object: ref, before: [] });
}

/** L-08: Disable returns when the channel is torn down, which needs this callback to return. One that returned at once had nothing to wait for. */
function disableInCallback(
  call: CallView,
  { ref, state, isUp }: ChannelRecord,
  { folds, context }: { readonly folds: StatusFolds; readonly context: AuditContext },
): FindingDraft | null {
  if (call.shape.channelVerb !== "close" || (state === "disabled" && !isUp)) return null;
  if (call.outcome !== null && call.succeeded) return null;
  const callback = context.runningCallback(call.insideCallback);
  if (callback?.plan == null || !isOfChannel(callback.plan)) return null;
  const packet = refOf(callback.ins, "packet");
  const own = refOf(callback.ins, "channel")?.number ??
    (packet === null ? 0 : folds.packets.find(packet)?.channel ?? 0);
  if (own !== ref.number) return null;
  const { name } = callback.plan;
  const text = `${call.plan.name} of ${
    printObject(ref)
  } inside its ${name} @${callback.event}: it waits for what called it`;
  return { ...aboutCall("channel-disable-in-callback", call, { text, object: ref }), shape: name };
}
