// Examples of the rules about channels and GPADLs (L, G): each fires its rule with as few lines as it can.
// Lines follow the setup that `given` names; what is left open at the end leaks besides, which is not the point.

import type { RuleExample } from "./rule_examples.ts";

/** Examples of L and G. */
export const CHANNEL_EXAMPLES = {
  "channel-leak": {
    given: "nothing",
    lines: ["client VmbChannelAllocate(IsServer=false) -> ok {Channel=$n}", "# the driver ends"],
    fix: "Call VmbChannelDisable, then VmbChannelCleanup, once for each VmbChannelAllocate, on failing paths too.",
  },
  "mmio-optional-only": {
    given: "nothing",
    lines: [
      "server VmbChannelAllocate(IsServer=true) -> ok {Channel=$n}",
      "server VmbServerChannelInitSetMmioMegabytes(Channel=$n, MmioMegabytes=0, MmioMegabytesOptional=4) -> ok",
    ],
    fix: "Say with the first number how much the device needs; leave the call out where it needs none.",
  },
  "pause-while-disabled": {
    given: "nothing",
    lines: [
      "client VmbChannelAllocate(IsServer=false) -> ok {Channel=$n}",
      "client VmbChannelPause(Channel=$n) -> void",
    ],
    fix: "Pause behind Enable, unless the channel is meant to open paused.",
  },
  "channel-cleanup-not-disabled": {
    given: "channel",
    lines: ["client VmbChannelCleanup(Channel=$c) -> refused"],
    fix: "Call VmbChannelDisable first; it returns when the channel is torn down.",
  },
  "channel-use-after-cleanup": {
    given: "nothing",
    lines: [
      "client VmbChannelAllocate(IsServer=false) -> ok {Channel=$n}",
      "client VmbChannelCleanup(Channel=$n)",
      "client VmbChannelSetPointer(Channel=$n, Pointer=0x1000) -> refused",
    ],
    fix: "Forget the channel where it is cleaned up; stop what may still use it before.",
  },
  "channel-double-cleanup": {
    given: "nothing",
    lines: [
      "client VmbChannelAllocate(IsServer=false) -> ok {Channel=$n}",
      "client VmbChannelCleanup(Channel=$n)",
      "client VmbChannelCleanup(Channel=$n) -> refused",
    ],
    fix: "Let one place own the channel and clean it up once.",
  },
  "channel-double-enable": {
    given: "channel",
    lines: ["client VmbChannelEnable(Channel=$c) -> fails"],
    fix: "Enable once; call VmbChannelDisable before the next VmbChannelEnable.",
  },
  "channel-init-after-enable": {
    given: "channel",
    lines: ["client VmbChannelInitSetMaximumPacketSize(Channel=$c, PacketSize=4096) -> STATUS_INVALID_PARAMETER_1"],
    fix: "Call every VmbChannelInit… setter between VmbChannelAllocate and VmbChannelEnable.",
  },
  "channel-start-outside-enable": {
    given: "nothing",
    lines: [
      "client VmbChannelAllocate(IsServer=false) -> ok {Channel=$n}",
      "client VmbChannelStart(Channel=$n) -> refused",
    ],
    fix: "Call VmbChannelStart after VmbChannelEnable and before VmbChannelDisable.",
  },
  "channel-start-pause-in-callback": {
    given: "channel",
    lines: [
      "client VmbChannelPause(Channel=$c)",
      "  callback client EvtVmbChannelSuspend(Channel=$c)",
      "    client VmbChannelStart(Channel=$c) -> refused",
    ],
    fix: "Start or pause from a work item or a thread, after the state-change callback returned.",
  },
  "wrong-endpoint": {
    given: "gpadl",
    lines: ["client VmbChannelMapGpadl(Channel=$c, GpadlHandle=$g) -> fails"],
    fix: "Call it at the other end: clients create and delete GPADLs, servers map and unmap them.",
  },
  "channel-not-open": {
    given: "nothing",
    lines: [
      "client VmbChannelAllocate(IsServer=false) -> ok {Channel=$n}",
      "client VmbChannelGetMmioSpace(Channel=$n) -> refused",
    ],
    fix: "Call it from EvtVmbChannelOpened on and until EvtVmbChannelClosed has returned.",
  },
  "gpadl-map-unknown": {
    given: "channel",
    lines: ["server VmbChannelMapGpadl(Channel=$s, GpadlHandle=0xdead) -> fails"],
    fix: "Map after the client's create returned, with the handle that it sent, and not after its delete.",
  },
  "gpadl-double-map": {
    given: "gpadl",
    lines: [
      "server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> ok {Mdl=$m}",
      "server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> fails",
    ],
    fix: "Keep the MDL of the first map, or call VmbChannelUnmapGpadl before the next map.",
  },
  "gpadl-write-map-of-read-only": {
    given: "channel",
    lines: [
      "client VmbChannelCreateGpadlFromBuffer(Channel=$c, Flags=READ_ONLY, Buffer=$b, ByteCount=8192) -> ok {GpadlHandle=$r}",
      "server VmbChannelMapGpadl(Channel=$s, Flags=0, GpadlHandle=$r) -> fails",
    ],
    fix: "Map with READ_ONLY, or create without it where the server has to write.",
  },
  "gpadl-unmatched-unmap": {
    given: "gpadl",
    lines: ["server VmbChannelUnmapGpadl(Channel=$s, GpadlHandle=$g) -> refused"],
    fix: "Unmap only what a successful VmbChannelMapGpadl mapped.",
  },
  "gpadl-double-unmap": {
    given: "gpadl",
    lines: [
      "server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> ok {Mdl=$m}",
      "server VmbChannelUnmapGpadl(Channel=$s, GpadlHandle=$g)",
      "server VmbChannelUnmapGpadl(Channel=$s, GpadlHandle=$g) -> refused",
    ],
    fix: "Let one place own the mapping and unmap it once.",
  },
  "gpadl-mapping-leak": {
    given: "gpadl",
    lines: ["server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> ok {Mdl=$m}", "# the driver ends"],
    fix: "Call VmbChannelUnmapGpadl once for each successful map, at the latest in EvtVmbChannelClosed.",
  },
  "gpadl-leak": {
    given: "channel",
    lines: [
      "client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$b, ByteCount=8192) -> ok {GpadlHandle=$g}",
      "# the driver ends",
    ],
    fix: "Call VmbChannelDeleteGpadl once for each successful create, at the latest in EvtVmbChannelClosed.",
  },
  "gpadl-unmatched-delete": {
    given: "gpadl",
    lines: [
      "client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g)",
      "client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g) -> refused",
    ],
    fix: "Delete a GPADL once, and forget its handle where that is done.",
  },
  "gpadl-delete-deadlock": {
    given: "gpadl",
    lines: [
      "server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> ok {Mdl=$m}",
      "client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g) -> blocked @delete",
      "# the server never unmaps",
    ],
    fix:
      "Let the server unmap first, and tell the client, before it deletes; never make the unmap wait for the client.",
  },
  "gpadl-create-outside-open": {
    given: "channel",
    lines: [
      "client VmbChannelAllocate(IsServer=false) -> ok {Channel=$n}",
      "client VmbChannelCreateGpadlFromBuffer(Channel=$n, Buffer=$b, ByteCount=8192) -> fails",
    ],
    fix: "Create from EvtVmbChannelOpened on, and before EvtVmbChannelClosed returned.",
  },
  "gpadl-alive-after-closed": {
    given: "gpadl",
    lines: ["client VmbChannelDisable(Channel=$c)"],
    fix: "Delete every GPADL of the channel in EvtVmbChannelClosed, or before.",
  },
  "gpadl-use-after-unmap": {
    given: "gpadl",
    lines: [
      "server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> ok {Mdl=$m}",
      "server VmbChannelUnmapGpadl(Channel=$s, GpadlHandle=$g)",
      "host WriteMdl(Mdl=$m, Data=h'01') -> refused",
    ],
    fix: "Finish the I/O on the mapping's MDL before VmbChannelUnmapGpadl.",
  },
  "gpadl-wrong-channel": {
    given: "gpadl",
    lines: [
      "client VmbChannelAllocate(IsServer=false) -> ok {Channel=$n}",
      "client VmbChannelDeleteGpadl(Channel=$n, GpadlHandle=$g) -> refused",
    ],
    fix: "Keep the handle with its channel: the creator's for the client, its peer for the server.",
  },
  "gpadl-range-outside-mdl": {
    given: "channel",
    lines: ["client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$b, ByteCount=16384) -> fails"],
    fix: "Ask for bytes that the buffer or the MDL chain has; a DataLengthWithinMdl of 0 means to its end.",
  },
  "gpadl-empty": {
    given: "channel",
    lines: ["client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$b, ByteCount=0)"],
    fix: "Share nothing where there is nothing to share.",
  },
  "gpadl-write-through-read-only": {
    given: "gpadl",
    lines: [
      "server VmbChannelMapGpadl(Channel=$s, Flags=READ_ONLY, GpadlHandle=$g) -> ok {Mdl=$m}",
      "host WriteMdl(Mdl=$m, Data=h'01')",
    ],
    fix: "Map without READ_ONLY where the server writes, so that the write is noticed in migration and snapshots.",
  },
  "gpadl-map-after-delete": {
    given: "gpadl",
    lines: [
      "server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> ok {Mdl=$m}",
      "client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g) -> blocked @delete",
      "server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> fails",
    ],
    fix: "Tell the server to stop mapping before the client begins the delete.",
  },
  "gpadl-bad-flags": {
    given: "channel",
    lines: ["client VmbChannelCreateGpadlFromBuffer(Channel=$c, Flags=0x2, Buffer=$b, ByteCount=8192) -> fails"],
    fix: "Pass 0 or READ_ONLY; no other bit exists.",
  },
  "gpadl-buffer-freed-early": {
    given: "gpadl",
    lines: ["guest FreeBuffer(Buffer=$b)"],
    fix: "Free the buffer or the MDL after VmbChannelDeleteGpadl returned.",
  },
  "gpadl-too-large": {
    given: "channel",
    lines: [
      "guest AllocateBuffer(ByteCount=0x2000000) -> $large",
      "client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$large, ByteCount=0x2000000) -> fails",
    ],
    fix: "Share larger memory as several GPADLs of at most 8190 pages each.",
  },
  "gpadl-handle-reused-while-live": {
    given: "channel",
    lines: [
      "client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$b, ByteCount=4096) -> ok {GpadlHandle=0xe1e10}",
      "client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$b, ByteCount=8192) -> ok {GpadlHandle=0xe1e10}",
    ],
    fix: "Give a handle value out again only after its delete returned; this one is a library's or a host's to mend.",
    foreign: true,
  },
} as const satisfies Readonly<Record<string, RuleExample>>;
