// Examples of the rules about saves, interrupt levels and interfaces (S, I, A), and of channel rules beside them: each fires
// its rule with as few lines as it can. Lines follow the setup that `given` names.

import type { RuleExample } from "./rule_examples.ts";
import { DELIVERED, PACKET, SEND } from "./rule_examples_packet.ts";

const SERVER = "server VmbChannelAllocate(IsServer=true) -> ok {Channel=$n}";
const SAVE_BEGIN = "server VmbChannelSaveBegin(Channel=$n) -> ok";
const SAVE_SOME =
  "server VmbChannelSaveContinue(Channel=$n, SaveBufferSize=40) -> STATUS_BUFFER_OVERFLOW {SaveBuffer=$first}";
const SAVE_ALL = "server VmbChannelSaveContinue(Channel=$n, SaveBufferSize=4096) -> ok {SaveBuffer=$image}";
const SAVE_END = "server VmbChannelSaveEnd(Channel=$n)";

const SAVES = {
  "save-nested": {
    given: "nothing",
    lines: [SERVER, SAVE_BEGIN, "server VmbChannelSaveBegin(Channel=$n) -> fails"],
    fix: "Call VmbChannelSaveEnd before the next VmbChannelSaveBegin.",
  },
  "save-not-ended": {
    given: "nothing",
    lines: [SERVER, SAVE_BEGIN, "# the driver ends"],
    fix: "Pair each VmbChannelSaveBegin with a VmbChannelSaveEnd, on failing paths too.",
  },
  "save-continue-without-begin": {
    given: "nothing",
    lines: [SERVER, "server VmbChannelSaveContinue(Channel=$n, SaveBufferSize=4096) -> fails"],
    fix: "Call VmbChannelSaveBegin first, and look at its status.",
  },
  "save-incomplete": {
    given: "nothing",
    lines: [SERVER, SAVE_BEGIN, SAVE_SOME, SAVE_END],
    fix: "Call VmbChannelSaveContinue until it answers STATUS_SUCCESS.",
  },
  "restore-packet-misplaced": {
    given: "nothing",
    lines: [
      SERVER,
      "server VmbPacketAllocate(Channel=$n) -> $p",
      "server VmbPacketRestore(PacketObject=$p, Buffer=h'01') -> fails",
    ],
    fix: "Allocate a packet inside EvtVmbChannelRestorePacket and restore it there.",
  },
  "restore-split-chunk": {
    given: "nothing",
    lines: [
      SERVER,
      SAVE_BEGIN,
      SAVE_ALL,
      SAVE_END,
      "server VmbChannelRestoreFromBuffer(Channel=$n, Buffer=$image, BufferSize=10) -> fails",
    ],
    fix: "Restore what each VmbChannelSaveContinue filled as a whole.",
  },
  "restore-more-misread": {
    given: "nothing",
    lines: [
      SERVER,
      SAVE_BEGIN,
      SAVE_SOME,
      SAVE_END,
      "server VmbChannelRestoreFromBuffer(Channel=$n, Buffer=$first) -> STATUS_MORE_PROCESSING_REQUIRED",
      "server VmbChannelEnable(Channel=$n)",
    ],
    fix: "Call VmbChannelRestoreFromBuffer again with the chunks that follow, until it answers STATUS_SUCCESS.",
  },
} as const satisfies Readonly<Record<string, RuleExample>>;

const CHANNELS = {
  "channel-disable-in-callback": {
    given: "channel",
    lines: [
      "client VmbChannelPause(Channel=$c) -> blocked",
      "  callback client EvtVmbChannelSuspend(Channel=$c) -> blocked @suspend",
      "    client VmbChannelDisable(Channel=$c) -> blocked",
    ],
    fix: "Let a thread of your own disable the channel, and return from the callback.",
  },
  "status-ignored": {
    given: "nothing",
    lines: [
      "client VmbChannelAllocate(IsServer=false) -> ok {Channel=$n}",
      "machine FailNext(Call=VmbChannelEnable, Status=STATUS_UNSUCCESSFUL)",
      "client VmbChannelEnable(Channel=$n) -> fails",
      "client VmbChannelStart(Channel=$n) -> refused",
    ],
    fix: "Look at the status, and clean up where it is a failure.",
  },
  "channel-init-missing": {
    given: "nothing",
    lines: [
      "client VmbChannelAllocate(IsServer=false) -> ok {Channel=$n}",
      "client VmbChannelEnable(Channel=$n) -> ok",
    ],
    fix: "Name the interface before VmbChannelEnable: a server with its id, a client with its target.",
  },
  "kernel-handle-leak": {
    given: "nothing",
    lines: [
      "server VmbConvertVmbusHandleToKernelHandle(VmbusHandle=4) -> ok {KernelHandle=$k}",
      "# the driver ends",
    ],
    fix: "Close the handle when the channel that it was given to is set up.",
  },
  "irql-allocate": {
    given: "nothing",
    lines: [
      "machine SetIrql(Side=client, Irql=DISPATCH_LEVEL)",
      "client VmbChannelAllocate(IsServer=false) -> fails",
    ],
    fix: "Allocate the channel at PASSIVE_LEVEL.",
  },
  "irql-sync-request": {
    given: "channel",
    lines: [
      "machine SetIrql(Side=client, Irql=DISPATCH_LEVEL)",
      "client VmbChannelSendSynchronousRequest(Channel=$c, Buffer=h'01', Flags=WAIT_FOR_COMPLETION) -> fails",
    ],
    fix: "Give the request a Timeout of 0 and no WAIT_FOR_COMPLETION, or go to PASSIVE_LEVEL first.",
  },
  "irql-delivery": {
    given: "channel",
    lines: [
      "server VmbChannelSetIncomingProcessingAtPassive(Channel=$s, RequirePassive=true)",
      "machine SetIrql(Side=server, Irql=DISPATCH_LEVEL)",
      PACKET,
      SEND,
      DELIVERED,
    ],
    fix: "Only the library can break this: report it with the trace.",
    foreign: true,
  },
  "interface-leak": {
    given: "nothing",
    lines: ['client QueryInterface(InterfaceType="KMCL_CLIENT_INTERFACE_TYPE") -> $i', "# the driver ends"],
    fix: "Call InterfaceDereference when the driver is done with the library.",
  },
} as const satisfies Readonly<Record<string, RuleExample>>;

/** Examples of S, I, A and some of L. */
export const SAVE_EXAMPLES = { ...SAVES, ...CHANNELS } as const;
