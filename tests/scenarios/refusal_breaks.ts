// What breaks each condition of each function of KMCL, one at a time: lines before the call, other arguments, another caller.
// It must not know in which order conditions are looked at: `refusals_test.ts` asks that of the declarations.

/** How one condition is broken. */
export interface Break {
  /** Lines before the call. */
  readonly lines?: readonly string[];
  /** Arguments in place of those that are right. */
  readonly args?: Readonly<Record<string, string>>;
  /** Who calls instead. */
  readonly side?: "client" | "server";
  /** The call stands inside the callback that the last of the lines writes. */
  readonly isInside?: true;
  /** Another condition that the lines mend: both cannot be broken at once. */
  readonly mends?: string;
  /** What the refusal of a call without a status says. */
  readonly says?: RegExp;
}

/** A function, called rightly, and what breaks it. */
export interface Breaks {
  readonly side: "client" | "server";
  readonly given: readonly string[];
  readonly args: Readonly<Record<string, string>>;
  /** By the condition as the declaration has it; a state by `PARAM in a wrong state`. */
  readonly breaks: Readonly<Record<string, Break>>;
}

const TYPE = "{11111111-0000-0000-0000-000000000001}";
const INSTANCE = "{22222222-0000-0000-0000-000000000001}";

export const SERVER = [
  "server VmbChannelAllocate(IsServer=true) -> ok {Channel=$s}",
  `server VmbServerChannelInitSetTargetInterfaceId(Channel=$s, InterfaceType=${TYPE}, InterfaceInstance=${INSTANCE}) -> ok`,
  "server VmbServerChannelInitSetSaveRestorePacketCallbacks(Channel=$s, SavePacketCallback=true, RestorePacketCallback=true) -> ok",
  "server VmbChannelInitSetMaximumExternalData(Channel=$s, DataSize=4096, ChainLength=2) -> ok",
  "server VmbChannelInitSetMaximumPacketSize(Channel=$s, PacketSize=600000) -> ok",
];
const CLIENT = [
  "client VmbChannelAllocate(IsServer=false) -> ok {Channel=$c}",
  `client VmbClientChannelInitSetTargetPnp(Channel=$c, InterfaceType=${TYPE}) -> ok`,
  "client VmbChannelInitSetMaximumPacketSize(Channel=$c, PacketSize=600000) -> ok",
];
const OFFERED = [...SERVER, "server VmbChannelEnable(Channel=$s) -> ok", "server VmbChannelStart(Channel=$s) -> void"];
const ENABLE_CLIENT = "client VmbChannelEnable(Channel=$c) -> ok";
export const OPEN = [...OFFERED, ...CLIENT, ENABLE_CLIENT];
export const MEMORY = [
  "guest AllocateBuffer(ByteCount=8192) -> $b",
  "guest CreateMdl(Buffer=$b, ByteCount=64) -> $m",
  "guest CreateMdl(Buffer=$b, ByteCount=8192) -> $big",
  "host AllocateBuffer(ByteCount=4096) -> $hb",
  "host CreateMdl(Buffer=$hb) -> $hm",
];
const GPADL = [
  ...OPEN,
  ...MEMORY,
  "client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$b, ByteCount=8192) -> ok {GpadlHandle=$g}",
];
/** A second channel of each end, and a GPADL of it. */
const OTHER_GPADL = [
  ...[...OPEN, MEMORY[0] ?? "", GPADL.at(-1) ?? ""].map((line) =>
    line.replaceAll("0001}", "0009}").replaceAll(/\$(s|c|b|g)\b/g, "$$other_$1")
  ),
];
const DISABLED_CLIENT = ["client VmbChannelDisable(Channel=$c) -> void"];
/** The client's driver has not been asked to open yet. */
const OPENING = [...OFFERED, ...CLIENT];
const IN_PEERS_OPENED = {
  lines: [ENABLE_CLIENT, "  callback server EvtVmbChannelOpened(Channel=$s)"],
  isInside: true,
  mends: "Channel in a wrong state",
} as const;
const IN_SUSPEND = (side: "client" | "server", channel: string): Break => ({
  lines: [
    `${side} VmbChannelDisable(Channel=${channel})`,
    `  callback ${side} EvtVmbChannelSuspend(Channel=${channel})`,
  ],
  isInside: true,
  says: /^called inside EvtVmbChannelSuspend/,
});

/** A setter: its channel is disabled, or enabled where it may not be. */
function setter(
  side: "client" | "server",
  { args, breaks }: {
    readonly args: Readonly<Record<string, string>>;
    readonly breaks?: Readonly<Record<string, Break>>;
  },
): Breaks {
  const channel = side === "server" ? "$s" : "$c";
  return {
    side,
    given: side === "server" ? SERVER : CLIENT,
    args: { Channel: channel, ...args },
    breaks: {
      "Channel in a wrong state": { lines: [`${side} VmbChannelEnable(Channel=${channel}) -> ok`] },
      ...Object.fromEntries(Object.entries(breaks ?? {})),
    },
  };
}

export const NO_FLAGS = { args: { Flags: "0x80" } } as const;

function creation(args: Readonly<Record<string, string>>, memory: Break, range: Break): Breaks {
  return {
    side: "client",
    given: [...MEMORY, ...OPEN, "!option gpadl-limit=1"],
    args: { Channel: "$c", ...args },
    breaks: {
      "Channel in a wrong state": { lines: DISABLED_CLIENT },
      "Opened has not begun": { ...IN_PEERS_OPENED, lines: [...DISABLED_CLIENT, ...IN_PEERS_OPENED.lines] },
      "Flags has bits that do not exist": NO_FLAGS,
      "the memory is not the guest's own": memory,
      "the bytes are none, too many, or outside the memory": range,
      "the host grants no more": { lines: GPADL.slice(-1) },
    },
  };
}

/** Every function that can be refused for more than what is common to all. */
export const BREAKS: Readonly<Record<string, Breaks>> = {
  VmbChannelAllocate: {
    side: "server",
    given: [],
    args: { IsServer: "true" },
    breaks: { "IsServer is of the other end": { args: { IsServer: "false" } } },
  },
  VmbChannelCleanup: {
    side: "client",
    given: OPEN,
    args: { Channel: "$c" },
    breaks: {
      "Channel in a wrong state": { says: /is open, not disabled$/ },
      "a Disable has not returned": {
        lines: [
          "client VmbPacketAllocate(Channel=$c) -> $p",
          "client VmbPacketSend(PacketObject=$p, Buffer=zero(8)) -> ok",
          "client VmbChannelDisable(Channel=$c) -> blocked",
        ],
        mends: "Channel in a wrong state",
        says: /^a Disable of channel#2 has not returned$/,
      },
    },
  },
  VmbChannelEnable: {
    side: "client",
    given: OPEN,
    args: { Channel: "$c" },
    breaks: { "Channel in a wrong state": {} },
  },
  VmbChannelDisable: { side: "client", given: OPEN, args: { Channel: "$c" }, breaks: {} },
  VmbChannelStart: {
    side: "client",
    given: OPEN,
    args: { Channel: "$c" },
    breaks: {
      "Channel in a wrong state": { lines: DISABLED_CLIENT, says: /is disabled, not/ },
      "called inside a state-change callback of the channel": IN_SUSPEND("client", "$c"),
      "Disable has begun": {
        lines: [
          "server VmbPacketAllocate(Channel=$s) -> $p",
          "server VmbPacketSend(PacketObject=$p, Buffer=zero(8)) -> ok",
          "client VmbChannelDisable(Channel=$c) -> blocked",
        ],
        says: /is being disabled$/,
      },
    },
  },
  VmbChannelPause: {
    side: "client",
    given: OPEN,
    args: { Channel: "$c" },
    breaks: {
      "called inside a state-change callback of the channel": IN_SUSPEND("client", "$c"),
      "Disable has begun": {
        lines: [
          "server VmbPacketAllocate(Channel=$s) -> $p",
          "server VmbPacketSend(PacketObject=$p, Buffer=zero(8)) -> ok",
          "client VmbChannelDisable(Channel=$c) -> blocked",
        ],
        says: /is being disabled$/,
      },
    },
  },
  VmbChannelGetMmioSpace: {
    side: "client",
    given: OPENING,
    args: { Channel: "$c" },
    breaks: {
      "Channel in a wrong state": { says: /is disabled, not/ },
      "Opened has not begun": { ...IN_PEERS_OPENED, says: /has not begun$/ },
    },
  },
  VmbChannelSetInterruptLatency: {
    side: "client",
    given: OPENING,
    args: { Channel: "$c" },
    breaks: { "Channel in a wrong state": {}, "Opened has not begun": IN_PEERS_OPENED },
  },
  VmbChannelInitSetMaximumPacketSize: setter("client", {
    args: { PacketSize: "1" },
    breaks: { "PacketSize is 0": { args: { PacketSize: "0" } } },
  }),
  VmbChannelInitSetMaximumExternalData: setter("client", {
    args: { DataSize: "1", ChainLength: "1" },
    breaks: { "DataSize is 0": { args: { DataSize: "0" } }, "ChainLength is 0": { args: { ChainLength: "0" } } },
  }),
  VmbChannelInitSetClientContextSize: setter("server", { args: {} }),
  VmbChannelInitSetProcessPacketCallbacks: setter("server", {
    args: { ProcessPacketCallback: "true" },
    breaks: { "ProcessPacketCallback is null": { args: { ProcessPacketCallback: "null" } } },
  }),
  VmbChannelInitSetStateChangeCallbacks: setter("client", {
    args: { StateChangeCallbacks: "{Version=1, Size=48}" },
    breaks: { "Version or Size is wrong": { args: { StateChangeCallbacks: "{Version=1, Size=47}" } } },
  }),
  VmbChannelInitSetFriendlyName: setter("client", { args: { Name: '"n"' } }),
  VmbChannelInitSetFlags: setter("client", { args: {}, breaks: { "Flags has bits that do not exist": NO_FLAGS } }),
  VmbClientChannelInitSetRingBufferPageCount: setter("client", {
    args: { IncomingPageCount: "1", OutgoingPageCount: "1" },
    breaks: {
      "IncomingPageCount is above 4094": { args: { IncomingPageCount: "4095" } },
      "OutgoingPageCount is above 4094": { args: { OutgoingPageCount: "4095" } },
    },
  }),
  VmbClientChannelInitSetTargetPnp: setter("client", {
    args: { InterfaceType: TYPE },
    breaks: { "InterfaceType is null": { args: { InterfaceType: "null" } } },
  }),
  VmbServerChannelInitSetFlags: setter("server", {
    args: {},
    breaks: { "Flags has bits that do not exist": NO_FLAGS },
  }),
  VmbServerChannelInitSetMmioMegabytes: setter("server", {
    args: { MmioMegabytes: "1" },
    breaks: { "both are 0": { args: { MmioMegabytes: "0" } } },
  }),
  VmbServerChannelInitSetSaveRestorePacketCallbacks: setter("server", {
    args: { SavePacketCallback: "true", RestorePacketCallback: "true" },
    breaks: {
      "SavePacketCallback is null": { args: { SavePacketCallback: "null" } },
      "RestorePacketCallback is null": { args: { RestorePacketCallback: "null" } },
    },
  }),
  VmbServerChannelInitSetTargetInterfaceId: setter("server", {
    args: { InterfaceType: TYPE },
    breaks: { "InterfaceType is null": { args: { InterfaceType: "null" } } },
  }),
  VmbServerChannelInitSetTargetVtl: setter("server", {
    args: {},
    breaks: { "TargetVtl is above highest-vtl": { args: { TargetVtl: "200" } } },
  }),
  VmbServerChannelInitSetVmbusHandle: setter("server", { args: {} }),
  VmbChannelCreateGpadlFromBuffer: creation(
    { Buffer: "$b", ByteCount: "8192" },
    { args: { Buffer: "$hb" } },
    { args: { ByteCount: "8193" } },
  ),
  VmbChannelCreateGpadlFromMdl: creation({ Mdl: "$big" }, { args: { Mdl: "$hm" } }, {
    args: { StartOffsetWithinMdl: "9000" },
  }),
  VmbChannelDeleteGpadl: {
    side: "client",
    given: [...GPADL, ...OTHER_GPADL, "!option delete-on-closed=refuse"],
    args: { Channel: "$c", GpadlHandle: "$g" },
    breaks: {
      "GpadlHandle is of another channel": { args: { GpadlHandle: "$other_g" }, says: /^gpadl#2 is of channel#/ },
      "it is being deleted": {
        lines: [
          "server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> ok",
          "client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g) -> blocked",
        ],
        says: /is being deleted$/,
      },
      "its connection is closed (option delete-on-closed)": { lines: DISABLED_CLIENT, says: /has closed since/ },
    },
  },
  VmbChannelMapGpadl: {
    side: "server",
    given: [...GPADL, ...OTHER_GPADL, "!option map-after-unmap=refuse"],
    args: { Channel: "$s", GpadlHandle: "$g" },
    breaks: {
      "Channel in a wrong state": {
        lines: ["server VmbChannelDisable(Channel=$s) -> void", "server VmbChannelEnable(Channel=$s) -> ok"],
      },
      "the channel is closed (option map-after-close)": { lines: DISABLED_CLIENT },
      "GpadlHandle is of another channel, or being deleted": { args: { GpadlHandle: "$other_g" } },
      "Flags has bits that do not exist": NO_FLAGS,
      "a write map of a read-only GPADL": {
        lines: [
          "client VmbChannelCreateGpadlFromBuffer(Channel=$c, Flags=READ_ONLY, Buffer=$b, ByteCount=1) -> ok {GpadlHandle=$g}",
        ],
      },
      "it was unmapped before (option map-after-unmap)": {
        lines: [
          "server VmbChannelMapGpadl(Channel=$s, Flags=READ_ONLY, GpadlHandle=$g) -> ok",
          "server VmbChannelUnmapGpadl(Channel=$s, GpadlHandle=$g) -> void",
        ],
      },
      "it is mapped": { lines: ["server VmbChannelMapGpadl(Channel=$s, Flags=READ_ONLY, GpadlHandle=$g) -> ok"] },
    },
  },
  VmbChannelUnmapGpadl: {
    side: "server",
    given: [...GPADL, ...OTHER_GPADL, "server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> ok"],
    args: { Channel: "$s", GpadlHandle: "$g" },
    breaks: {
      "GpadlHandle is of another channel": { args: { GpadlHandle: "$other_g" }, says: /^gpadl#2 is of channel#/ },
      "it is not mapped": {
        lines: ["server VmbChannelUnmapGpadl(Channel=$s, GpadlHandle=$g) -> void"],
        says: /is not mapped$/,
      },
    },
  },
};
