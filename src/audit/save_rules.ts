// Rules of save and restore (S), from the order of calls and what they answered. Conditions: kmcl.md 2.6, 2.9, 6.2.
//
// Decisions where the documents leave room:
// - S-04: the save was ended after no SaveContinue, or after one that said that something is left (STATUS_BUFFER_OVERFLOW,
//   STATUS_BUFFER_TOO_SMALL). After any other failure SaveEnd is what remains to be done, and no misuse.
// - S-02 is also a channel that is cleaned up with its save open.
// - S-05: outside EvtVmbChannelRestorePacket, or on a packet that was sent or restored before.
// - S-06: the form of chunks is not public. A restore that failed was given part of what a SaveContinue of this trace wrote,
//   which writes whole chunks: only that is proven. A restore that succeeded had whole chunks.
// - S-07: after STATUS_MORE_PROCESSING_REQUIRED the channel is enabled, disabled, started or cleaned up without another
//   restore, or the trace ends.

import { type CallbackName, printObject, type Ref, STATUS, statusName } from "../api/mod.ts";
import { isJudged, isLetIn, START } from "./call_shapes.ts";
import { handleMisuse } from "./channel_rules.ts";
import type { AuditContext, CallView, Detector, FindingDraft } from "./detector.ts";
import type { Verdict } from "./finding.ts";
import { aboutCall, aboutPacket } from "./packet_drafts.ts";
import { packetShapeOf } from "./packet_shapes.ts";
import type { Packets } from "./packet_states.ts";
import type { PlanShape } from "./plan_shape.ts";
import { type Save, type SaveRole, saveRoleOf, type Saves, statusOf } from "./save_states.ts";
import { placeText } from "./wording.ts";

const RESTORE_PACKET: CallbackName = "EvtVmbChannelRestorePacket";

/** Watches saves. It must stand before the detector of packet objects, whose states it asks as they were before a call. */
export function saveDetector(saves: Saves, packets: Packets): Detector {
  return {
    hears: (shape) => saveRoleOf(shape) !== null || isPacketRestore(shape) || endsRestore(shape),
    hearsCallback: ({ name }) => name === RESTORE_PACKET,
    called(call, context) {
      if (!isJudged(call, context) || handleMisuse(call, context) !== null) return;
      const misuse = misuseOf(call, { saves, packets, context });
      if (misuse !== null) context.report(misuse);
    },
    returned(call, context) {
      const role = saveRoleOf(call.shape);
      if (role === null) return;
      if (role === "restore" && isJudged(call, context)) {
        const misuse = splitChunk(call, saves);
        if (misuse !== null) context.report(misuse);
      }
      saves.returned(call, role);
    },
    hearsEnd: (kind) => kind === "channel",
    ended(objects, context) {
      for (const { ref, endedAt } of objects) {
        const save = ref.kind === "channel" ? saves.channelEnded(ref) : null;
        if (save !== null) context.report(notEnded(save, `when the channel was cleaned up @${endedAt}`));
      }
    },
    end: (context) => left(saves, context),
  };
}

function isPacketRestore(shape: PlanShape): boolean {
  return packetShapeOf(shape)?.role === "restore";
}

/** A call by which a driver goes on as if a restore were over. */
function endsRestore({ channelVerb, plan }: PlanShape): boolean {
  return channelVerb === "open" || channelVerb === "close" || channelVerb === "destroy" || plan.name === START;
}

interface Scene {
  readonly saves: Saves;
  readonly packets: Packets;
  readonly context: AuditContext;
}

function misuseOf(call: CallView, scene: Scene): FindingDraft | null {
  if (isPacketRestore(call.shape)) return misplacedRestore(call, scene);
  const channel = call.objectAt(call.shape.at.channel);
  if (channel === null) return null;
  const role = saveRoleOf(call.shape);
  return role === null ? moreMisread(call, channel, scene) : saveMisuse(call, role, { ...scene, channel });
}

function saveMisuse(
  call: CallView,
  role: SaveRole,
  { saves, channel, context }: Scene & { readonly channel: Ref },
): FindingDraft | null {
  const save = saves.openOf(channel);
  const name = printObject(channel);
  if (role === "begin" && save !== undefined) {
    const text = `A save of ${name} was begun while the one begun ${placeText(save.begun)} is open`;
    return aboutCall("save-nested", call, { text, object: channel, before: [save.begun] });
  }
  if (role === "continue" && save === undefined) {
    const text = `${call.plan.name} of ${name}, of which no save was begun`;
    const isKnown = context.objects.find(channel) !== undefined;
    const draft = aboutCall("save-continue-without-begin", call, { text, object: channel });
    return isKnown ? draft : { ...draft, verdict: context.historyVerdict() };
  }
  return role === "end" && save !== undefined ? incomplete(call, save) : null;
}

function incomplete(call: CallView, { channel, begun, last }: Save): FindingDraft | null {
  const isLeft = last === null || last.status === STATUS.STATUS_BUFFER_OVERFLOW ||
    last.status === STATUS.STATUS_BUFFER_TOO_SMALL;
  if (!isLeft) return null;
  const why = last === null
    ? "nothing was saved"
    : `the last VmbChannelSaveContinue ${placeText(last.made)} answered ${statusName(last.status)}: something is left`;
  return aboutCall("save-incomplete", call, {
    text: `The save of ${printObject(channel)} was ended, but ${why}`,
    object: channel,
    before: last === null ? [begun] : [begun, last.made],
  });
}

function misplacedRestore(call: CallView, { packets, context }: Scene): FindingDraft | null {
  const shape = packetShapeOf(call.shape);
  const ref = shape === null ? null : call.objectAt(shape.packet);
  const packet = ref === null ? undefined : packets.find(ref);
  if (packet === undefined) return null;
  const inside = context.runningCallback(call.insideCallback);
  // A callback that began before the trace did may be the one, and what was let in was inside it.
  const isUnseen = inside === undefined && isLetIn(call, context);
  const isInside = isUnseen || inside?.plan?.name === RESTORE_PACKET;
  if (isInside && !packet.wasUsed) return null;
  const text = isInside
    ? "was restored, but it was used before: a restore wants a packet that was just allocated"
    : `was restored outside ${RESTORE_PACKET}`;
  return aboutPacket(packet, "restore-packet-misplaced", { call, role: "used", text });
}

function splitChunk(call: CallView, saves: Saves): FindingDraft | null {
  const status = statusOf(call);
  if (call.succeeded || status === STATUS.STATUS_MORE_PROCESSING_REQUIRED) return null;
  const buffer = call.in("bytes");
  if (!(buffer instanceof Uint8Array)) return null;
  const bytes = buffer.subarray(0, call.numberAt(call.shape.at.byteCount));
  if (!saves.isSplit(bytes)) return null;
  const object = call.objectAt(call.shape.at.channel);
  const of = object === null ? "" : ` of ${printObject(object)}`;
  const text =
    `${call.plan.name}${of} got ${bytes.length} bytes that are part of what one VmbChannelSaveContinue wrote`;
  return { ...aboutCall("restore-split-chunk", call, { text, object }), sizeBytes: bytes.length };
}

function moreMisread(call: CallView, channel: Ref, { saves }: Scene): FindingDraft | null {
  const more = saves.moreOf(channel);
  if (more === null) return null;
  saves.forgetMore(channel);
  const text = `${call.plan.name} of ${printObject(channel)}, but its restore ${placeText(more)} answered ` +
    "STATUS_MORE_PROCESSING_REQUIRED: chunks are left";
  return aboutCall("restore-more-misread", call, { text, object: channel, before: [more] });
}

function notEnded({ channel, begun }: Save, when: string, verdict?: Verdict): FindingDraft {
  return {
    rule: "save-not-ended",
    message: `The save of ${printObject(channel)}, begun ${placeText(begun)}, was not ended ${when}`,
    event: begun.event,
    object: channel,
    evidence: [begun],
    ...(verdict === undefined ? {} : { verdict }),
  };
}

function left(saves: Saves, context: AuditContext): void {
  const verdict = context.leakVerdict();
  for (const save of saves.open()) context.report(notEnded(save, "to the end", verdict));
  for (const { channel, made } of saves.mores()) {
    context.report({
      rule: "restore-more-misread",
      message: `The restore of ${printObject(channel)} answered STATUS_MORE_PROCESSING_REQUIRED ${placeText(made)}, ` +
        "and no other followed: chunks are left",
      event: made.event,
      object: channel,
      evidence: [made],
      verdict,
    });
  }
}
