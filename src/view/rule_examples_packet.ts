// Examples of the rules about packets and quotas (P, Q): each fires its rule with as few lines as it can.
// Lines follow the setup that `given` names.

import type { RuleExample } from "./rule_examples.ts";

/** The client's packet. */
export const PACKET = "client VmbPacketAllocate(Channel=$c) -> $p";
/** And its send. */
export const SEND = "client VmbPacketSend(PacketObject=$p, Buffer=h'0102030405060708')";
const SEND_AND_WAIT = "client VmbPacketSend(PacketObject=$p, Buffer=h'0102030405060708', Flags=WAIT_FOR_COMPLETION)";
/** And its delivery. */
export const DELIVERED =
  "  callback server EvtVmbChannelProcessPacket(Channel=$s, Packet=completion#1, Buffer=h'0102030405060708')";
const COMPLETE = "server VmbChannelPacketComplete(PacketCompletionContext=completion#1)";
const MDL = "guest CreateMdl(Buffer=$b) -> $m";
const SEND_DATA = "client VmbPacketSend(PacketObject=$p, Buffer=h'01', ExternalDataMdl=$m, Flags=WAIT_FOR_COMPLETION)";
const GET_DATA = "server VmbChannelPacketGetExternalData(PacketCompletionContext=completion#1)";

const PACKET_OBJECTS = {
  "packet-leak": {
    given: "channel",
    lines: [PACKET, "# the driver ends: the packet was never sent"],
    fix: "Call VmbPacketFree for a packet that was not sent, and in a completion routine of your own.",
  },
  "packet-double-free": {
    given: "channel",
    lines: [PACKET, SEND, "client VmbPacketFree(VmbPacket=$p) -> refused"],
    fix: "Leave a sent packet to its default completion routine, or set a routine of your own and free it there.",
  },
  "packet-free-in-flight": {
    given: "channel",
    lines: [PACKET, SEND_AND_WAIT, "client VmbPacketFree(VmbPacket=$p) -> refused"],
    fix: "Free a packet in its completion routine, when its transaction is over.",
  },
  "packet-free-not-allocated": {
    given: "channel",
    lines: [
      "client VmbPacketInitialize(Channel=$c, ByteCount=0x2000) -> ok {VmbPacket=$p}",
      "client VmbPacketFree(VmbPacket=$p) -> refused",
    ],
    fix: "Free the memory that you gave to VmbPacketInitialize yourself; VmbPacketFree is for VmbPacketAllocate.",
  },
  "packet-alive-at-cleanup": {
    given: "channel",
    lines: [PACKET, "client VmbChannelDisable(Channel=$c)", "client VmbChannelCleanup(Channel=$c)"],
    fix: "Free a channel's packets before its VmbChannelCleanup.",
  },
  "packet-too-long": {
    given: "nothing",
    lines: [
      "client VmbChannelAllocate(IsServer=false) -> ok {Channel=$n}",
      "client VmbChannelInitSetMaximumPacketSize(Channel=$n, PacketSize=64) -> ok",
      "client VmbPacketAllocate(Channel=$n) -> $p",
      "client VmbPacketSend(PacketObject=$p, Buffer=zero(65)) -> fails",
    ],
    fix: "Give VmbChannelInitSetMaximumPacketSize the largest size that you will ever send.",
  },
  "packet-external-data-too-large": {
    given: "channel",
    lines: [
      "guest AllocateBuffer(ByteCount=0x101000) -> $large",
      "guest CreateMdl(Buffer=$large) -> $m",
      PACKET,
      "client VmbPacketSend(PacketObject=$p, Buffer=h'01', ExternalDataMdl=$m, Flags=WAIT_FOR_COMPLETION) -> fails",
    ],
    fix: "Split the data, or let the receiver raise VmbChannelInitSetMaximumExternalData.",
  },
  "packet-null-used": {
    given: "nothing",
    lines: ["client VmbPacketSend(PacketObject=null, Buffer=h'01') -> fails"],
    fix: "Test what VmbPacketAllocate returned before you use it.",
  },
  "packet-no-completion-routine": {
    given: "channel",
    lines: [
      "client VmbPacketInitialize(Channel=$c, ByteCount=0x2000) -> ok {VmbPacket=$p}",
      "client VmbPacketSend(PacketObject=$p, Buffer=h'01') -> fails",
    ],
    fix: "Call VmbPacketSetCompletionRoutine after VmbPacketInitialize, before the first send.",
  },
  "packet-init-of-allocated": {
    given: "channel",
    lines: [PACKET, "client VmbPacketInitialize(Channel=$c, VmbPacket=$p, ByteCount=0x2000) -> fails"],
    fix: "Use VmbPacketInitialize for memory of your own only; VmbPacketAllocate has initialized its packets.",
  },
  "packet-use-after-free": {
    given: "channel",
    lines: [
      PACKET,
      "client VmbPacketFree(VmbPacket=$p)",
      "client VmbPacketSetPointer(PacketObject=$p, Pointer=0x1000) -> refused",
    ],
    fix: "Forget a packet where it is freed, and where it is sent with the default completion routine.",
  },
  "packet-routine-changed-in-flight": {
    given: "channel",
    lines: [
      PACKET,
      SEND_AND_WAIT,
      "client VmbPacketSetCompletionRoutine(PacketObject=$p, CompletionRoutine=true)",
    ],
    fix: "Set the completion routine before the send.",
  },
  "packet-reused-in-flight": {
    given: "channel",
    lines: [PACKET, SEND_AND_WAIT, `${SEND} -> fails`],
    fix: "Send a packet again from its completion routine on, or allocate another one.",
  },
} as const satisfies Readonly<Record<string, RuleExample>>;

const SENDS = {
  "packet-external-data-from-server": {
    given: "channel",
    lines: [
      MDL,
      "server VmbPacketAllocate(Channel=$s) -> $p",
      "server VmbPacketSend(PacketObject=$p, Buffer=h'01', ExternalDataMdl=$m) -> fails",
    ],
    fix: "Send external data from the guest only; a server writes into what the guest showed it.",
  },
  "packet-bad-flags": {
    given: "channel",
    lines: [PACKET, "client VmbPacketSend(PacketObject=$p, Buffer=h'01', Flags=0x8) -> fails"],
    fix: "Pass WAIT_FOR_COMPLETION, FORCE_MDL_LENGTH and PAGED_BUFFER only; no other bit exists.",
  },
  "packet-send-after-suspend": {
    given: "channel",
    lines: [
      PACKET,
      "client VmbChannelPause(Channel=$c)",
      "  callback client EvtVmbChannelSuspend(Channel=$c)",
      `    ${SEND}`,
    ],
    fix: "Stop sending when EvtVmbChannelSuspend begins, until the next EvtVmbChannelStarted.",
  },
  "packet-external-without-wait": {
    given: "channel",
    lines: [
      MDL,
      PACKET,
      "client VmbPacketSendWithExternalMdl(PacketObject=$p, Buffer=h'01', ExternalDataMdl=$m, MdlLength=64) -> fails",
    ],
    fix: "Set WAIT_FOR_COMPLETION: the pages must stay until the server is done with them.",
  },
  "packet-forced-length-past-page": {
    given: "channel",
    lines: [
      "guest CreateMdl(Buffer=$b, ByteCount=100) -> $m",
      PACKET,
      "client VmbPacketSendWithExternalMdl(PacketObject=$p, Buffer=h'01', ExternalDataMdl=$m, MdlLength=4097, Flags=WAIT_FOR_COMPLETION|FORCE_MDL_LENGTH) -> fails",
    ],
    fix: "Force a length to the end of the first MDL's last page at most.",
  },
  "sync-request-from-server": {
    given: "channel",
    lines: ["server VmbChannelSendSynchronousRequest(Channel=$s, Buffer=h'01', Flags=WAIT_FOR_COMPLETION) -> fails"],
    fix:
      "Give a server's request a Timeout of 0 and no WAIT_FOR_COMPLETION, or send a packet with a completion routine.",
  },
  "sync-request-size": {
    given: "channel",
    lines: [
      "client VmbChannelSendSynchronousRequest(Channel=$c, Buffer=h'01', Flags=WAIT_FOR_COMPLETION, CompletionBufferSize=12) -> fails",
    ],
    fix: "Round CompletionBufferSize up to a multiple of 8.",
  },
  "sync-request-in-started": {
    given: "channel",
    lines: [
      "client VmbChannelPause(Channel=$c)",
      "client VmbChannelStart(Channel=$c)",
      "  callback client EvtVmbChannelStarted(Channel=$c) -> blocked @started",
      "    client VmbChannelSendSynchronousRequest(Channel=$c, Buffer=h'01', Flags=WAIT_FOR_COMPLETION) -> blocked",
    ],
    fix: "Send the request from EvtVmbChannelPostStarted or later.",
  },
} as const satisfies Readonly<Record<string, RuleExample>>;

const DELIVERIES = {
  "packet-never-completed-hang": {
    given: "channel",
    lines: [PACKET, SEND, "server VmbChannelPause(Channel=$s) -> blocked"],
    fix: "Complete every delivered packet; those that are outstanding at EvtVmbChannelSuspend too.",
  },
  "packet-never-completed": {
    given: "channel",
    lines: [PACKET, SEND, "# the server's driver ends"],
    fix: "Call VmbChannelPacketComplete once for each packet that was delivered.",
  },
  "packet-double-complete": {
    given: "channel",
    lines: [PACKET, SEND, COMPLETE, `${COMPLETE} -> refused`],
    fix: "Let one place own a delivered packet and complete it once.",
  },
  "packet-mdl-use-after-complete": {
    given: "channel",
    lines: [
      MDL,
      PACKET,
      SEND_DATA,
      `${GET_DATA} -> ok {Mdl=$x}`,
      COMPLETE,
      "host ReadMdl(Mdl=$x, ByteCount=1) -> refused",
    ],
    fix: "Be done with the external data before VmbChannelPacketComplete: its pages are the guest's again.",
  },
  "packet-defer-outside-callback": {
    given: "channel",
    lines: [
      PACKET,
      SEND,
      "server VmbChannelPacketDeferToPassive(PacketCompletionContext=completion#1) -> refused",
    ],
    fix: "Defer a packet inside the EvtVmbChannelProcessPacket that delivered it; later queue work of your own.",
  },
  "packet-defer-and-complete": {
    given: "channel",
    lines: [
      PACKET,
      SEND,
      COMPLETE,
      "server VmbChannelPacketDeferToPassive(PacketCompletionContext=completion#1) -> refused",
    ],
    fix: "Defer a packet or complete it; one that was deferred is completed when it is delivered again.",
  },
  "packet-traffic-after-fail": {
    given: "channel",
    lines: [
      PACKET,
      SEND,
      "server VmbChannelPacketFail(PacketCompletionContext=completion#1)",
      "server VmbChannelPacketFail(PacketCompletionContext=completion#1)",
    ],
    fix: "After VmbChannelPacketFail complete that packet once, and use it for nothing else.",
  },
  "packet-mdl-freed": {
    given: "channel",
    lines: [MDL, PACKET, SEND_DATA, `${GET_DATA} -> ok {Mdl=$x}`, "host FreeMdl(Mdl=$x) -> refused"],
    fix: "Leave the MDL to VmbChannelPacketComplete, which ends it.",
  },
  "packet-use-after-pending": {
    given: "channel",
    lines: [
      "server VmbChannelPacketGetExternalData(PacketCompletionContext=completion#1) -> STATUS_PENDING",
      `${COMPLETE}`,
    ],
    fix: "Return from EvtVmbChannelProcessPacket at once; you are called again with the same packet.",
    foreign: true,
  },
  "packet-no-external-data": {
    given: "channel",
    lines: [PACKET, SEND, `${GET_DATA} -> fails`],
    fix: "Ask for external data only where the delivery's flags have EXTERNAL_DATA.",
  },
  "quota-zero": {
    given: "channel",
    lines: ["server VmbChannelSetTransactionQuota(Channel=$s, Quota=0) -> refused"],
    fix: "Give a quota of 1 or more; pause the channel to stop deliveries.",
  },
  "quota-raise-does-not-restart": {
    given: "channel",
    lines: [
      "server VmbChannelSetTransactionQuota(Channel=$s, Quota=1)",
      PACKET,
      SEND,
      "server VmbChannelSetTransactionQuota(Channel=$s, Quota=2)",
    ],
    fix: "Complete a packet after the raise: only that starts a queue which its quota held.",
  },
} as const satisfies Readonly<Record<string, RuleExample>>;

/** Examples of P and Q. */
export const PACKET_EXAMPLES = { ...PACKET_OBJECTS, ...SENDS, ...DELIVERIES } as const;
