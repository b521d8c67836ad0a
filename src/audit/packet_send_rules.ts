// Rules of what is sent (P-07, P-08, P-15 to P-22): sizes, flags, external data, synchronous requests, and when. Each is a
// rule of its own, so one call may break several. Conditions: kmcl.md 1.3, 2.2, 2.4, 2.9, 6.1.
//
// Decisions where the documents leave room:
// - P-07 and P-08 need the limits: those that setters gave, or the model's own. Of another system's defaults nothing is known.
// - P-08 is about the peer's limits, so it is looked for while the channel is connected. Page frame numbers are one MDL.
// - P-15 is any external data of a server; then P-08, P-18 and P-19 are not looked for.
// - P-18 is the function's: also where it was given no MDL.
// - P-17 ends with Closed and Opened too (suspend_watch.ts). A request inside its own Suspend is P-17 like any send. While Suspend
//   runs, another thread may have begun its send before the driver could hold it up: then it is a warning.
// - P-20, P-22: a request with a Timeout of 0 and without WAIT_FOR_COMPLETION does not wait.

import { isArray, PAGE_BYTES, printObject, type Ref } from "../api/mod.ts";
import { isLetIn, refOf } from "./call_shapes.ts";
import { livePeer } from "./channel_connection.ts";
import type { ChannelRecord, ChannelStates } from "./channel_states.ts";
import type { AuditContext, CallView, FindingDraft } from "./detector.ts";
import { slicePieces } from "./extents.ts";
import type { Evidence } from "./finding.ts";
import { drafted } from "./gpadl_drafts.ts";
import type { GuestPages } from "./guest_pages.ts";
import { aboutCall } from "./packet_drafts.ts";
import { FORCE_MDL_LENGTH, PACKET_FLAGS, type PacketShape, WAIT_FOR_COMPLETION } from "./packet_shapes.ts";
import type { PacketRecord, Packets } from "./packet_states.ts";
import type { RuleName } from "./rules.ts";
import type { SuspendWatch } from "./suspend_watch.ts";
import { hexText } from "./wording.ts";

/** What these rules look at. */
export interface SendFolds {
  readonly channels: ChannelStates;
  readonly packets: Packets;
  readonly pages: GuestPages;
  readonly suspends: SuspendWatch;
  readonly context: AuditContext;
}

interface Send extends SendFolds {
  readonly shape: PacketShape;
  readonly flags: number;
  /** The sending endpoint and its packet, where they are known. */
  readonly end: ChannelRecord | undefined;
  readonly object: Ref | null;
  /** Where the packet was made. */
  readonly before: readonly Evidence[];
}

/** Rules that a send or a request breaks; most often none. */
export function sendMisuses(call: CallView, shape: PacketShape, folds: SendFolds): readonly FindingDraft[] {
  if (shape.role !== "send" && shape.role !== "request") return drafted(null);
  const packet = call.objectAt(shape.packet);
  const record = packet === null ? undefined : folds.packets.find(packet);
  const channel = call.objectAt(call.shape.at.channel);
  const end = record === undefined ? folds.channels.find(channel) : folds.packets.channelOf(record);
  const send: Send = {
    ...folds,
    shape,
    flags: call.numberAt(shape.flags),
    end,
    object: packet ?? channel,
    before: before(record),
  };
  return drafted(
    badFlags(call, send),
    tooLong(call, send),
    afterSuspend(call, send),
    ...externalMisuses(call, send),
    ...(shape.role === "request" ? requestMisuses(call, send) : []),
  );
}

/** Whether a synchronous request waits for its completion, or for room (kmcl.md 2.4). */
export function isWaiting(call: CallView, shape: PacketShape): boolean {
  const timeout = call.ins[shape.timeout];
  const [first] = isArray(timeout) ? timeout : [];
  return first !== 0n || (call.numberAt(shape.flags) & WAIT_FOR_COMPLETION) !== 0;
}

function before(packet: PacketRecord | undefined): readonly Evidence[] {
  return packet === undefined ? [] : [packet.created];
}

function said(rule: RuleName, call: CallView, { object, before }: Send, text: string): FindingDraft {
  const of = object === null ? "" : ` of ${printObject(object)}`;
  return aboutCall(rule, call, { object, before, text: `${call.plan.name}${of} ${text}` });
}

function badFlags(call: CallView, send: Send): FindingDraft | null {
  if ((send.flags & ~PACKET_FLAGS) === 0) return null;
  const text = `with flags ${hexText(send.flags)}; only bits of ${hexText(PACKET_FLAGS)} exist`;
  return said("packet-bad-flags", call, send, text);
}

function tooLong(call: CallView, send: Send): FindingDraft | null {
  const length = call.numberAt(send.shape.length);
  const limit = send.end === undefined ? null : send.packets.trafficOf(send.end.ref.number).maximumPacketBytes;
  if (limit === null || length <= limit) return null;
  return {
    ...said("packet-too-long", call, send, `with ${length} bytes; the channel's largest packet has ${limit}`),
    sizeBytes: length,
  };
}

function afterSuspend(call: CallView, send: Send): FindingDraft | null {
  const { end } = send;
  const suspended = end === undefined ? null : send.suspends.suspendedBy(end.ref);
  if (suspended === null || end === undefined) return null;
  const { since, hasReturned } = suspended;
  const text = `after the Suspend of ${printObject(end.ref)} began @${since} and before its next Started`;
  const finding = said("packet-send-after-suspend", call, send, text);
  return hasReturned || call.insideCallback === since ? finding : { ...finding, severity: "warning" };
}

function externalMisuses(call: CallView, send: Send): readonly (FindingDraft | null)[] {
  const { shape, flags } = send;
  const hasData = call.objectAt(shape.mdl) !== null || call.numberAt(shape.pfnCount) > 0;
  const isServer = send.end?.isServer ?? call.side === "server";
  if (hasData && isServer) {
    const text = "with external data; only a guest's memory can be shown, so only a client sends any";
    return [said("packet-external-data-from-server", call, send, text)];
  }
  const needsWait = shape.mustWait && (flags & WAIT_FOR_COMPLETION) === 0;
  return [
    needsWait
      ? said("packet-external-without-wait", call, send, "without WAIT_FOR_COMPLETION, which it must have")
      : null,
    forcedPastPage(call, send),
    tooMuchExternal(call, send),
  ];
}

/** What a send asks of its MDL: the bytes that it shows, and in how many MDLs of the chain they are. */
interface External {
  readonly offset: number;
  readonly bytes: number;
  readonly mdls: number;
}

function externalOf(call: CallView, { shape, flags, pages }: Send): External | null {
  const pfns = call.numberAt(shape.pfnCount);
  if (pfns > 0) return { offset: 0, bytes: pfns * PAGE_BYTES, mdls: 1 };
  const mdl = call.objectAt(shape.mdl);
  const chain = mdl === null ? null : pages.chainOf(mdl);
  if (mdl === null || chain === null) return null;
  const isForced = (flags & FORCE_MDL_LENGTH) !== 0;
  const total = isForced ? pages.extentOf(mdl)?.byteCount ?? 0 : chain.byteCount;
  const offset = call.numberAt(shape.mdlOffset);
  const bytes = call.numberAt(shape.mdlLength) || Math.max(0, total - offset);
  return { offset, bytes, mdls: isForced ? 1 : slicePieces(chain.pieces, { offset, length: bytes }).length };
}

/** FORCE_MDL_LENGTH may reach past the first MDL's bytes, but not past its last page. */
function forcedPastPage(call: CallView, send: Send): FindingDraft | null {
  if ((send.flags & FORCE_MDL_LENGTH) === 0) return null;
  const mdl = call.objectAt(send.shape.mdl);
  const external = externalOf(call, send);
  const [piece] = mdl === null ? [] : send.pages.extentOf(mdl)?.pieces ?? [];
  if (mdl === null || external === null || piece === undefined) return null;
  const room = Math.ceil((piece.byteOffset + piece.byteCount) / PAGE_BYTES) * PAGE_BYTES - piece.byteOffset;
  const wanted = external.offset + external.bytes;
  if (wanted <= room) return null;
  const text = `with FORCE_MDL_LENGTH reaches byte ${wanted} of ${printObject(mdl)}, whose last page ends at ${room}`;
  return said("packet-forced-length-past-page", call, send, text);
}

/** The receiving end said how much it takes. */
function tooMuchExternal(call: CallView, send: Send): FindingDraft | null {
  const { end, packets, context } = send;
  if (isLetIn(call, context)) return null;
  const peer = end?.isUp === true ? livePeer(end) : null;
  if (peer === null) return null;
  const { maximumExternalBytes, maximumChainLength } = packets.trafficOf(peer.ref.number);
  const external = externalOf(call, send);
  if (external === null) return null;
  const isTooLarge = maximumExternalBytes !== null && external.bytes > maximumExternalBytes;
  const isTooMany = maximumChainLength !== null && external.mdls > maximumChainLength;
  if (!isTooLarge && !isTooMany) return null;
  const limits = `${maximumExternalBytes} bytes in ${maximumChainLength} MDLs`;
  const text = `with ${external.bytes} external bytes in ${external.mdls} MDLs; ${
    printObject(peer.ref)
  } takes ${limits}`;
  return { ...said("packet-external-data-too-large", call, send, text), sizeBytes: external.bytes };
}

function requestMisuses(call: CallView, send: Send): readonly (FindingDraft | null)[] {
  const { shape } = send;
  const room = call.numberAt(shape.room);
  const waits = isWaiting(call, shape);
  return [
    waits && (send.end?.isServer ?? call.side === "server")
      ? said(
        "sync-request-from-server",
        call,
        send,
        "waits; a server's needs a Timeout of 0 and no WAIT_FOR_COMPLETION",
      )
      : null,
    room % 8 === 0
      ? null
      : said("sync-request-size", call, send, `with room for ${room} bytes of completion, which is no multiple of 8`),
    waits ? insideStarted(call, send) : null,
  ];
}

/** Packets go out when Started has returned, so that its own never gets an answer. */
function insideStarted(call: CallView, send: Send): FindingDraft | null {
  const callback = send.context.runningCallback(call.insideCallback);
  if (callback?.plan?.name !== "EvtVmbChannelStarted") return null;
  if (refOf(callback.ins, "channel")?.number !== call.object("channel")?.number) return null;
  const text = `waits inside the channel's own Started @${callback.event}; packets go out when that has returned`;
  return said("sync-request-in-started", call, send, text);
}
