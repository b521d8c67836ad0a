// The same for packets, synchronous requests, saves and restores.

import { type Break, type Breaks, MEMORY, NO_FLAGS, OPEN, SERVER } from "./refusal_breaks.ts";

function sending(external: Readonly<Record<string, string>>, breaks: Readonly<Record<string, Break>>): Breaks {
  return {
    side: "client",
    given: [...MEMORY, ...OPEN, "client VmbPacketAllocate(Channel=$c) -> $p"],
    args: { PacketObject: "$p", Buffer: "zero(8)", ...external },
    breaks: {
      "PacketObject in a wrong state": {
        lines: ["client VmbPacketSend(PacketObject=$p, Buffer=zero(8), Flags=WAIT_FOR_COMPLETION) -> ok"],
      },
      "the channel is gone, or the packet has no completion routine": {
        lines: ["client VmbPacketInitialize(Channel=$c, ByteCount=700000) -> ok {VmbPacket=$raw}"],
        args: { PacketObject: "$raw" },
      },
      "Flags has bits that do not exist": NO_FLAGS,
      "BufferLength is above the maximum or beyond Buffer": { args: { BufferLength: "600001" } },
      ...breaks,
    },
  };
}

const OF_SERVER = { side: "server", lines: ["server VmbPacketAllocate(Channel=$s) -> $p"] } as const;
const DELIVERED = [
  ...MEMORY,
  ...OPEN,
  "client VmbPacketAllocate(Channel=$c) -> $p",
  "client VmbPacketSend(PacketObject=$p, Buffer=zero(8), ExternalDataMdl=$m, Flags=WAIT_FOR_COMPLETION) -> ok",
];
/** The library's again until it is delivered anew: deferred, and the level that it waits for does not come. */
const TO_COME: Break = {
  lines: [
    "client VmbPacketAllocate(Channel=$c) -> $p2",
    "client VmbPacketSend(PacketObject=$p2, Buffer=zero(8)) -> ok",
    "  callback server EvtVmbChannelProcessPacket(Channel=$s, Packet=completion#2, Buffer=zero(8))",
    "    server VmbChannelPacketDeferToPassive(PacketCompletionContext=completion#2) -> void",
  ],
  args: { PacketCompletionContext: "completion#2" },
  isInside: true,
  says: /will be delivered again$/,
};
const PAUSED = [...OPEN, "server VmbChannelPause(Channel=$s) -> void"];
const STARTED_AGAIN = { lines: ["server VmbChannelStart(Channel=$s) -> void"] } as const;
const BEGIN = "server VmbChannelSaveBegin(Channel=$s) -> ok";

/** A channel with one packet was saved, and a new one is there to be restored. */
const RESTORING = [
  ...PAUSED,
  "server VmbPacketAllocate(Channel=$s) -> $p0",
  "server VmbPacketSend(PacketObject=$p0, Buffer=zero(8)) -> ok",
  BEGIN,
  "server VmbChannelSaveContinue(Channel=$s, SaveBufferSize=4096) -> STATUS_SUCCESS {SaveBuffer=$image}",
  "server VmbChannelSaveEnd(Channel=$s) -> void",
  ...SERVER.map((line) => line.replaceAll("$s", "$r")),
];

/** Functions of packets, requests, saves and restores. */
export const PACKET_BREAKS: Readonly<Record<string, Breaks>> = {
  VmbPacketFree: {
    side: "client",
    given: [...OPEN, "client VmbPacketAllocate(Channel=$c) -> $p"],
    args: { VmbPacket: "$p" },
    breaks: {
      "VmbPacket in a wrong state": {
        lines: [
          "client VmbPacketSetCompletionRoutine(PacketObject=$p, CompletionRoutine=true) -> void",
          "client VmbPacketSend(PacketObject=$p, Buffer=zero(8), Flags=WAIT_FOR_COMPLETION) -> ok",
        ],
        says: /is sent, not/,
      },
      "VmbPacket is in the caller's memory": {
        lines: ["client VmbPacketInitialize(Channel=$c, ByteCount=700000) -> ok {VmbPacket=$p}"],
        says: /is in the caller's memory$/,
      },
    },
  },
  VmbPacketInitialize: {
    side: "client",
    given: [...OPEN, "client VmbPacketInitialize(Channel=$c, ByteCount=700000) -> ok {VmbPacket=$p}"],
    args: { Channel: "$c", VmbPacket: "$p", ByteCount: "700000" },
    breaks: {
      "ByteCount is too small": { args: { ByteCount: "1" } },
      "VmbPacket was allocated": { lines: ["client VmbPacketAllocate(Channel=$c) -> $p"] },
      "VmbPacket is in flight": {
        lines: [
          "client VmbPacketSetCompletionRoutine(PacketObject=$p, CompletionRoutine=true) -> void",
          "client VmbPacketSend(PacketObject=$p, Buffer=zero(8), Flags=WAIT_FOR_COMPLETION) -> ok",
        ],
      },
    },
  },
  VmbPacketSetCompletionRoutine: {
    side: "client",
    given: [...OPEN, "client VmbPacketAllocate(Channel=$c) -> $p"],
    args: { PacketObject: "$p", CompletionRoutine: "true" },
    breaks: {
      "CompletionRoutine is null": { args: { CompletionRoutine: "null" }, says: /^CompletionRoutine is null$/ },
    },
  },
  VmbPacketSend: sending({ ExternalDataMdl: "$m" }, {
    "external data of the server": OF_SERVER,
    "external data outside its memory": { args: { ExternalDataMdl: "$hm" } },
    "more external data than the peer takes": { args: { ExternalDataMdl: "$big" } },
    "more bytes than the ring takes": { args: { Buffer: "zero(560000)" } },
  }),
  VmbPacketSendWithExternalMdl: sending({ ExternalDataMdl: "$m", Flags: "WAIT_FOR_COMPLETION" }, {
    "external data of the server": OF_SERVER,
    "external data without WAIT_FOR_COMPLETION": { args: { Flags: "0" } },
    "external data outside its memory": { args: { MdlOffset: "65" } },
    "more external data than the peer takes": { args: { ExternalDataMdl: "$big" } },
    "more bytes than the ring takes": { args: { Buffer: "zero(560000)" } },
  }),
  VmbPacketSendWithExternalPfns: sending({ ExternalDataPfns: "[5]", PfnLength: "1", Flags: "WAIT_FOR_COMPLETION" }, {
    "external data of the server": OF_SERVER,
    "external data without WAIT_FOR_COMPLETION": { args: { Flags: "0" } },
    "external data outside its memory": { args: { PfnLength: "3" } },
    "more external data than the peer takes": { args: { ExternalDataPfns: "[5, 6]", PfnLength: "2" } },
    "more bytes than the ring takes": { args: { Buffer: "zero(560000)" } },
  }),
  VmbChannelSendSynchronousRequest: {
    side: "client",
    given: [...MEMORY, ...OPEN],
    args: { Channel: "$c", Buffer: "zero(8)", ExternalDataMdl: "$m" },
    breaks: {
      "it may wait above PASSIVE_LEVEL": {
        lines: ["client", "server"].map((side) => `machine SetIrql(Side="${side}", Irql=DISPATCH_LEVEL) -> void`),
      },
      "it may wait and is the server's": { side: "server", args: { Channel: "$s" } },
      "CompletionBufferSize is no multiple of 8": { args: { CompletionBufferSize: "12" } },
      "Flags has bits that do not exist": NO_FLAGS,
      "BufferSize is above the maximum or beyond Buffer": { args: { BufferSize: "600001" } },
      "external data of the server": {
        side: "server",
        args: { Channel: "$s", Timeout: "[0]" },
        mends: "it may wait above PASSIVE_LEVEL",
      },
      "external data outside its memory": { args: { ExternalDataMdl: "$hm" } },
      "more external data than the peer takes": { args: { ExternalDataMdl: "$big" } },
      "more bytes than the ring takes": { args: { Buffer: "zero(560000)" } },
      "the channel shuts down": {
        lines: [
          "server VmbPacketAllocate(Channel=$s) -> $p",
          "server VmbPacketSend(PacketObject=$p, Buffer=zero(8)) -> ok",
          "client VmbPacketAllocate(Channel=$c) -> $p2",
          "client VmbPacketSend(PacketObject=$p2, Buffer=zero(8)) -> ok",
          "client VmbChannelDisable(Channel=$c) -> blocked",
        ],
      },
      "a Timeout of 0, and no room": {
        lines: ["client VmbChannelPause(Channel=$c) -> void"],
        args: { Timeout: "[0]" },
        mends: "it may wait above PASSIVE_LEVEL",
      },
    },
  },
  VmbPacketRestore: {
    side: "server",
    given: [...RESTORING, "server VmbPacketAllocate(Channel=$r) -> $p"],
    args: { PacketObject: "$p", Buffer: "h'00'" },
    breaks: {
      "PacketObject in a wrong state": { lines: ["server VmbPacketSend(PacketObject=$p, Buffer=zero(8)) -> ok"] },
      "called outside the channel's RestorePacket": {},
      "Buffer is no context of a packet of the channel": {
        lines: [
          "server VmbChannelRestoreFromBuffer(Channel=$r, Buffer=$image)",
          "  callback server EvtVmbChannelRestorePacket(Channel=$r, LibBuf=h'564d5043010001080000000000000000155075a9')",
        ],
        isInside: true,
        mends: "called outside the channel's RestorePacket",
      },
    },
  },
  VmbChannelPacketComplete: {
    side: "server",
    given: DELIVERED,
    args: { PacketCompletionContext: "completion#1" },
    breaks: {
      "the packet is to be delivered again": TO_COME,
      "BufSize is beyond PacketCompletionBuffer": { args: { BufSize: "600000" }, says: /is more than the/ },
      "the completion is more than the ring takes": {
        args: { PacketCompletionBuffer: "zero(530000)" },
        says: /^the ring takes/,
      },
    },
  },
  VmbChannelPacketDeferToPassive: {
    side: "server",
    given: DELIVERED,
    args: { PacketCompletionContext: "completion#1" },
    breaks: {
      "the packet is to be delivered again": TO_COME,
      "called outside the packet's delivery": { says: /^called outside the delivery/ },
    },
  },
  VmbChannelPacketFail: {
    side: "server",
    given: DELIVERED,
    args: { PacketCompletionContext: "completion#1" },
    breaks: { "the packet is to be delivered again": TO_COME },
  },
  VmbChannelPacketGetExternalData: {
    side: "server",
    given: DELIVERED,
    args: { PacketCompletionContext: "completion#1" },
    breaks: {
      "the packet is to be delivered again": TO_COME,
      "Flags has bits that do not exist": NO_FLAGS,
      "the packet has no external data": {
        lines: [
          "client VmbPacketAllocate(Channel=$c) -> $p3",
          "client VmbPacketSend(PacketObject=$p3, Buffer=zero(8)) -> ok",
        ],
        args: { PacketCompletionContext: "completion#2" },
      },
    },
  },
  VmbChannelSetTransactionQuota: {
    side: "client",
    given: OPEN,
    args: { Channel: "$c", Quota: "1" },
    breaks: { "Quota is 0": { args: { Quota: "0" }, says: /^Quota is 0$/ } },
  },
  VmbChannelSaveBegin: {
    side: "server",
    given: PAUSED,
    args: { Channel: "$s" },
    breaks: {
      "a save or a restore is open": { lines: [BEGIN] },
      "the channel is not paused (option save-state)": STARTED_AGAIN,
    },
  },
  VmbChannelSaveContinue: {
    side: "server",
    given: PAUSED,
    args: { Channel: "$s", SaveBufferSize: "4096" },
    breaks: {
      "no save is open, or a Continue has not returned": {},
      "the channel is not paused (option save-state)": { lines: [BEGIN, ...STARTED_AGAIN.lines] },
    },
  },
  VmbChannelSaveEnd: {
    side: "server",
    given: PAUSED,
    args: { Channel: "$s" },
    breaks: {
      "no save is open": { says: /^no save of/ },
      "a Continue has not returned": {
        lines: [
          "server VmbPacketAllocate(Channel=$s) -> $p",
          "server VmbPacketSend(PacketObject=$p, Buffer=zero(8)) -> ok",
          BEGIN,
          "server VmbChannelSaveContinue(Channel=$s, SaveBufferSize=4096)",
          "  callback server EvtVmbChannelSavePacket(Channel=$s, Packet=$p)",
        ],
        isInside: true,
        mends: "no save is open",
        says: /has not returned$/,
      },
    },
  },
  VmbChannelRestoreFromBuffer: {
    side: "server",
    given: RESTORING,
    args: { Channel: "$r", Buffer: "$image" },
    breaks: {
      "Channel in a wrong state": { lines: ["server VmbChannelEnable(Channel=$r) -> ok"] },
      "a save is open, a restore is over, packets are on their way": {
        lines: ["server VmbChannelSaveBegin(Channel=$r) -> ok"],
      },
      "Buffer is not the next whole chunks": { args: { Buffer: "h'00'" } },
      "packets without a RestorePacketCallback": {
        lines: ["server VmbChannelAllocate(IsServer=true) -> ok {Channel=$bare}"],
        args: { Channel: "$bare" },
      },
    },
  },
};
