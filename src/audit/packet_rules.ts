// Rules of packet objects (P-01 to P-05, P-09 to P-14): made, freed, sent again, left. Conditions: kmcl.md 2.4, 2.9, 6.1.
// One misuse is one finding, the most specific: what the object forbids comes before what the call's values do.
//
// Decisions where the documents leave room:
// - The default routine frees a packet when its transaction ends, without an event. Where the trace proves that it did
//   (packet_states.ts) a free is P-02 and any other use P-12. Where it proves that the transaction goes on a free is P-03.
//   Where it proves neither, the free is wrong in both cases: P-02, unproven; a second send is P-14, any other use P-12,
//   both unproven.
// - A packet with the default routine whose transaction goes on is not left behind: the routine will free it.
// - P-05 and P-01 are two rules: a packet that is alive when its channel is cleaned up and never freed breaks both.
// - A packet in the caller's memory is nobody's to free: it is neither P-01 nor P-05.
// - A raw handle value that names no packet is P-04 where it is freed, P-12 elsewhere.
// - VmbPacketInitialize again on a packet in flight is P-14. A routine that is set right after a restore is no P-13.

import { isRef, printObject, type Ref, type Value } from "../api/mod.ts";
import { isJudged } from "./call_shapes.ts";
import { handleMisuse } from "./channel_rules.ts";
import type { AuditContext, CallView, Detector, FindingDraft } from "./detector.ts";
import type { Evidence, Verdict } from "./finding.ts";
import type { GuestPages } from "./guest_pages.ts";
import { creationOf, type Tracked } from "./object_table.ts";
import { aboutCall, aboutPacket, othersObject, packetHistory, packetText } from "./packet_drafts.ts";
import { sendMisuses } from "./packet_send_rules.ts";
import { COMPLETION_ROUTINE, type PacketShape, packetShapeOf } from "./packet_shapes.ts";
import { mustBeFreed, type PacketRecord, type Packets, SET_EXTERNAL_DATA, SET_PACKET_SIZE } from "./packet_states.ts";
import type { ChannelStates } from "./channel_states.ts";
import type { PlanShape } from "./plan_shape.ts";
import { SuspendWatch } from "./suspend_watch.ts";
import { handleText, placeText } from "./wording.ts";

/** Watches packet objects; it also keeps the states that other rules ask for. */
export function packetDetector({ channels, packets, pages }: {
  readonly channels: ChannelStates;
  readonly packets: Packets;
  readonly pages: GuestPages;
}): Detector {
  const suspends = new SuspendWatch(channels);
  return {
    hears: (shape) => packetShapeOf(shape) !== null || isSizeSetter(shape),
    hearsCallback: (plan) => plan.name === COMPLETION_ROUTINE || suspends.hears(plan),
    called(call, context) {
      const shape = packetShapeOf(call.shape);
      if (shape === null) return;
      if (isJudged(call, context) && handleMisuse(call, context) === null) {
        const misuse = objectMisuse(call, shape, { packets, context });
        if (misuse !== null) context.report(misuse);
        else {for (const each of sendMisuses(call, shape, { channels, packets, pages, suspends, context })) {
            context.report(each);
          }}
      }
      packets.called(call, shape, context);
    },
    returned(call, context) {
      const shape = packetShapeOf(call.shape);
      if (shape === null) packets.configured(call);
      else packets.returned(call, shape, context);
    },
    callback(event) {
      if (event.plan?.name === COMPLETION_ROUTINE) packets.completionRoutine(event);
      else suspends.callback(event);
    },
    callbackReturned: (callback) => suspends.callbackReturned(callback),
    hearsEnd: (kind) => kind === "channel",
    ended(objects, context) {
      for (const { ref, endedAt } of objects) {
        if (ref.kind !== "channel") continue;
        leftAtCleanup(ref, packets, { context, cleanedUpAt: endedAt });
        suspends.ended(ref);
      }
    },
    end: (context) => left(packets, context),
  };
}

function isSizeSetter({ plan }: PlanShape): boolean {
  return plan.name === SET_PACKET_SIZE || plan.name === SET_EXTERNAL_DATA;
}

interface Scene {
  readonly packets: Packets;
  readonly context: AuditContext;
}

/** What the packet that a call names forbids; null: nothing. */
function objectMisuse(call: CallView, shape: PacketShape, scene: Scene): FindingDraft | null {
  if (shape.packet < 0) return null;
  const value = call.ins[shape.packet];
  if (value === null && shape.role === "initialize") return null;
  if (!isRef(value)) return noPacket(call, shape, value);
  const packet = scene.packets.find(value);
  if (packet === undefined) return deadPacket(call, value, { ...scene, shape });
  return othersObject(call, value, packet.side) ?? liveMisuse(call, shape, { ...scene, packet });
}

function noPacket(call: CallView, { role }: PacketShape, value: Value | undefined): FindingDraft {
  if (value === null || value === undefined) {
    return aboutCall("packet-null-used", call, { text: `${call.plan.name} with a null packet` });
  }
  const text = `${call.plan.name} of ${handleText(value)}, which names no packet`;
  return aboutCall(role === "free" ? "packet-free-not-allocated" : "packet-use-after-free", call, { text });
}

function deadPacket(
  call: CallView,
  ref: Ref,
  { packets, context, shape }: Scene & { readonly shape: PacketShape },
): FindingDraft | null {
  const end = packets.endOf(ref);
  if (end === null) return null;
  if (end.how === "channel-gone") return orphanMisuse(call, ref, { context, shape });
  const isFree = shape.role === "free";
  const created = context.objects.find(ref);
  const before = [
    ...(created === undefined ? [] : [{
      event: created.createdAt,
      role: "created",
      site: created.site,
      call: created.createdBy.name,
      side: created.side,
    }]),
    { event: end.event, role: "freed", site: null, call: "", side: created?.side ?? call.side },
  ];
  const how = {
    "freed": `it was freed @${end.event}`,
    "default-routine": `its default completion routine freed it when its transaction ended, from @${end.event} on`,
    "replaced": `its memory was given up @${end.event}`,
  }[end.how];
  const text = `${printObject(ref)} was ${isFree ? "freed again" : `used by ${call.plan.name}`}; ${how}`;
  return aboutCall(isFree ? "packet-double-free" : "packet-use-after-free", call, { text, object: ref, before });
}

function liveMisuse(
  call: CallView,
  { role }: PacketShape,
  { packet, packets, context }: Scene & { readonly packet: PacketRecord },
): FindingDraft | null {
  const channel = context.objects.find({ kind: "channel", number: packet.channel, handle: 0 });
  if (role === "send" && channel !== undefined && channel.endedAt > 0) return sentToNobody(packet, call, channel);
  const flight = flightText(packet);
  const verdict = flightVerdict(packet, packets, context);
  switch (role) {
    case "free":
      if (!packet.isAllocated) {
        const text = "was freed; it is in the caller's memory and not from VmbPacketAllocate";
        return aboutPacket(packet, "packet-free-not-allocated", { call, role: "freed", text });
      }
      return flight === null ? null : freedInFlight(packet, call, { flight, verdict });
    case "initialize":
      if (packet.isAllocated) {
        const text = "was initialized; it is from VmbPacketAllocate";
        return aboutPacket(packet, "packet-init-of-allocated", { call, role: "used", text });
      }
      return flight === null ? null : inFlight("packet-reused-in-flight", "was initialized again", {
        packet,
        call,
        flight,
        verdict,
      });
    case "set-routine":
      if (flight === null || packet.flight?.isRestored === true) return null;
      return inFlight("packet-routine-changed-in-flight", "got another completion routine", {
        packet,
        call,
        flight,
        verdict,
      });
    case "send":
      if (flight !== null) {
        return inFlight("packet-reused-in-flight", "was sent again", { packet, call, flight, verdict });
      }
      return packet.routine === "none"
        ? aboutPacket(packet, "packet-no-completion-routine", {
          call,
          role: "used",
          text: "was sent without a completion routine: VmbPacketInitialize sets none",
        })
        : null;
    case "use":
      return flight === null || verdict === "certain" ? null : mayBeFreed(packet, call, flight);
    default:
      return null;
  }
}

/** L-03: a packet outlived its channel (P-05), and what it is sent on is gone. */
function sentToNobody(
  { ref, created }: Pick<PacketRecord, "ref" | "created">,
  call: CallView,
  channel: Tracked,
): FindingDraft {
  const { ref: object, endedAt } = channel;
  const text = `${printObject(object)} was used by ${call.plan.name} of ${
    printObject(ref)
  } after its cleanup @${endedAt}`;
  const cleanup: Evidence = { event: endedAt, role: "deleted", site: null, call: "", side: call.side };
  return aboutCall("channel-use-after-cleanup", call, { text, object, before: [created, cleanup] });
}

/** The library frees it when its transaction ends, and that may be over. */
function mayBeFreed(packet: PacketRecord, call: CallView, flight: string): FindingDraft {
  const text = `was used by ${call.plan.name}; its default completion routine frees it, and it was ${flight}`;
  return { ...aboutPacket(packet, "packet-use-after-free", { call, role: "used", text }), verdict: "unproven" };
}

/** Memory of the caller's outlives the channel that it held a packet of: it may be looked at, and hold another packet. */
function orphanMisuse(
  call: CallView,
  ref: Ref,
  { context, shape: { role } }: { readonly context: AuditContext; readonly shape: PacketShape },
): FindingDraft | null {
  const packet = context.objects.find(ref);
  if (role === "free") {
    const text = `${printObject(ref)} was freed; it is in the caller's memory and not from VmbPacketAllocate`;
    return aboutCall("packet-free-not-allocated", call, { text, object: ref });
  }
  const channel = packet?.owner == null ? undefined : context.objects.find(packet.owner);
  if (role !== "send" || packet === undefined || channel === undefined) return null;
  return sentToNobody({ ref, created: creationOf(packet) }, call, channel);
}

interface Flight {
  readonly flight: string;
  readonly verdict: Verdict;
}

/** Freed by the driver, and by the default routine too: P-03 where that is still to come, else P-02. */
function freedInFlight(packet: PacketRecord, call: CallView, { flight, verdict }: Flight): FindingDraft {
  const isDoubtful = verdict !== "certain";
  const rule = isDoubtful ? "packet-double-free" : "packet-free-in-flight";
  const text = `was freed, but it was ${flight}; ${
    packet.routine === "default"
      ? `its default completion routine frees it ${isDoubtful ? "then, or did so already" : "then"}`
      : "its completion routine has not begun"
  }`;
  return { ...aboutPacket(packet, rule, { call, role: "freed", text }), verdict };
}

function inFlight(
  rule: "packet-reused-in-flight" | "packet-routine-changed-in-flight",
  what: string,
  { packet, call, flight, verdict }: Flight & { readonly packet: PacketRecord; readonly call: CallView },
): FindingDraft {
  const text = `${what}, but it was ${flight}, and that transaction is not known to be over`;
  return { ...aboutPacket(packet, rule, { call, role: "used", text }), verdict };
}

/** `sent @12 at x.ts:88 (send)`, or null: it is not in flight. */
function flightText({ flight }: PacketRecord): string | null {
  return flight === null ? null : `sent ${placeText(flight.sent)}`;
}

/**
 * What "its transaction goes on" is worth: a routine of the driver's would have begun; else it is certain before the first
 * rings, and with WAIT_FOR_COMPLETION while the connection is up, for its peer's completion would have been seen. Of a peer
 * from before the trace nothing is.
 */
function flightVerdict(packet: PacketRecord, packets: Packets, { isFromStart }: AuditContext): Verdict {
  const { flight, routine } = packet;
  if (flight === null || routine !== "default") return "certain";
  const channel = packets.channelOf(packet);
  if (channel === undefined || channel.connection !== flight.connection) return "unproven";
  if (flight.isCompleted || (!isFromStart && channel.peer === null)) return "unproven";
  const isBeforeRings = channel.connection === 0 || channel.phase === "opening";
  return isBeforeRings || (flight.waits && channel.isUp && !channel.isClosing) ? "certain" : "unproven";
}

/** P-05: a channel was cleaned up, and these of its packets were not freed. */
function leftAtCleanup(
  channel: Ref,
  packets: Packets,
  { context, cleanedUpAt }: { readonly context: AuditContext; readonly cleanedUpAt: number },
): void {
  for (const packet of packets.channelEnded(channel, cleanedUpAt, context)) {
    context.report({
      rule: "packet-alive-at-cleanup",
      message: `${packetText(packet)} was not freed when ${printObject(channel)} was cleaned up @${cleanedUpAt}`,
      event: packet.created.event,
      object: packet.ref,
      evidence: packetHistory(packet),
    });
  }
}

/** P-01: the trace is over. */
function left(packets: Packets, context: AuditContext): void {
  const verdict = context.leakVerdict();
  for (const packet of packets.live()) {
    const isLeaked = mustBeFreed(packet);
    context.pairing.left("packet", isLeaked && verdict === "certain");
    if (!isLeaked) continue;
    const why = packet.wasUsed ? "" : "; it was never sent, so that nobody else frees it";
    context.report({
      rule: "packet-leak",
      message: `${packetText(packet)} was never freed${why}`,
      event: packet.created.event,
      object: packet.ref,
      evidence: packetHistory(packet),
      verdict,
    });
  }
}
