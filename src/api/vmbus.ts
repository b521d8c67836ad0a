// The VMBus messages under KMCL, declared: what the guest's and the host's bus drivers send each other about channels and
// GPADLs. Nobody calls them: the engine makes them as outputs (option `wire`). Sources: kmcl.md 5.6, 5.7, 5.8, 7.1.
//
// A message is a header of 8 bytes (type, padding) and a body, 240 bytes at most. A GPADL is named by its handle, which the
// guest chose; the GPADL of a channel's rings is no object of a driver, so a bare number stands for it.

import type { Calls } from "./grammar.ts";

/** Messages by name, as the protocol has them. */
export const WIRE = {
  OFFER_CHANNEL: {
    id: 500,
    endpoint: "server",
    doc:
      "Type 1, 196 bytes: the host offers a channel under an id that is the guest's to use until it releases it. SubChannelIndex is 0 for a primary channel; monitor and interrupt are 0 where the model makes it. ConnectionId is the channel, 0x1000 times the interrupt source (2) and 0x10000 times the trust level.",
    source: "kmcl.md 7.1",
    params: {
      ChannelId: "in channelId",
      InterfaceType: "in guid",
      InterfaceInstance: "in guid",
      ChannelFlags: "in u16",
      MmioMegabytes: "in u32",
      SubChannelIndex: "in u16",
      MonitorId: "in u8",
      IsDedicatedInterrupt: "in bool",
      ConnectionId: "in u32",
    },
    returns: "void",
  },
  RESCIND_CHANNEL_OFFER: {
    id: 501,
    endpoint: "server",
    doc:
      "Type 2, 12 bytes: the host takes an offer back. GPADLs that the guest holds live on until it tears them down or releases the id.",
    source: "kmcl.md 5.6",
    params: { ChannelId: "in channelId" },
    returns: "void",
  },
  OPEN_CHANNEL: {
    id: 502,
    endpoint: "client",
    doc:
      "Type 5, 148 bytes: the guest opens a channel over rings in a GPADL of one range of whole pages, 4 at least: the ring to the host from page 0, the one to the guest from page DownstreamPageOffset.",
    source: "kmcl.md 5.8, 6.4",
    params: {
      ChannelId: "in channelId",
      OpenId: "in u32",
      RingGpadl: "in gpadl",
      TargetVp: "in u32",
      DownstreamPageOffset: "in u32",
    },
    returns: "void",
  },
  OPEN_CHANNEL_RESULT: {
    id: 503,
    endpoint: "server",
    doc: "Type 6, 20 bytes: the host's answer to an open, 0 for success; any other status says that it is not open.",
    source: "kmcl.md 7.1",
    params: { ChannelId: "in channelId", OpenId: "in u32", Status: "in status" },
    returns: "void",
  },
  CLOSE_CHANNEL: {
    id: 504,
    endpoint: "client",
    doc:
      "Type 7, 12 bytes: the guest closes an open channel. It has no answer, and touches no GPADL: the rings' is torn down after it.",
    source: "kmcl.md 5.6, 6.4",
    params: { ChannelId: "in channelId" },
    returns: "void",
  },
  REL_ID_RELEASED: {
    id: 505,
    endpoint: "client",
    doc:
      "Type 13, 12 bytes: the guest gives an id back. Legal while the channel is closed, closing or rescinded; GPADLs that are left are torn down without an answer.",
    source: "kmcl.md 5.6, 6.4",
    params: { ChannelId: "in channelId" },
    returns: "void",
  },
  GPADL_HEADER: {
    id: 506,
    endpoint: "client",
    doc:
      "Type 8, 20 bytes and up to 27 words: begins a GPADL, with the first 26 pages of one range. RangeBytes is all words in bytes, 65,535 at most: one range describes 8190 pages, 33,546,240 bytes.",
    source: "kmcl.md 5.7",
    params: {
      ChannelId: "in channelId",
      Gpadl: "in gpadl",
      RangeBytes: "in u16",
      RangeCount: "in u16",
      Words: "in gpadlWord[]",
    },
    returns: "void",
  },
  GPADL_BODY: {
    id: 507,
    endpoint: "client",
    doc:
      "Type 9, 16 bytes and up to 28 words: goes on with a GPADL until all that its header promised is there. It names no channel, and guests leave MessageNumber at 0.",
    source: "kmcl.md 5.7, 7.2",
    params: { MessageNumber: "in u32", Gpadl: "in gpadl", Words: "in gpadlWord[]" },
    returns: "void",
  },
  GPADL_CREATED: {
    id: 508,
    endpoint: "server",
    doc:
      "Type 10, 20 bytes: the host's answer once the whole description is there, 0 for success. 0x8000ffff: unknown or released channel, handle in use, ranges that make no sense. A refused handle is free again.",
    source: "kmcl.md 5.7, X18",
    params: { ChannelId: "in channelId", Gpadl: "in gpadl", Status: "in status" },
    returns: "void",
  },
  GPADL_TEARDOWN: {
    id: 509,
    endpoint: "client",
    doc:
      "Type 11, 16 bytes: the guest takes a GPADL back. From here on the host maps it no more. One that is unknown, of another channel or going already has no answer.",
    source: "kmcl.md 5.7",
    params: { ChannelId: "in channelId", Gpadl: "in gpadl" },
    returns: "void",
  },
  GPADL_TORNDOWN: {
    id: 510,
    endpoint: "server",
    doc:
      "Type 12, 12 bytes: the host's last view of a GPADL is gone, and its pages are the guest's own again. It names no channel.",
    source: "kmcl.md 5.7",
    params: { Gpadl: "in gpadl" },
    returns: "void",
  },
  UNLOAD: {
    id: 511,
    endpoint: "client",
    doc: "Type 16, 8 bytes: the guest leaves the bus: all its ids count as released.",
    source: "kmcl.md 5.6",
    params: {},
    returns: "void",
  },
  UNLOAD_RESPONSE: {
    id: 512,
    endpoint: "server",
    doc: "Type 17, 8 bytes: every GPADL of the guest is gone; one that is never unmapped holds it up for ever.",
    source: "kmcl.md 5.6",
    params: {},
    returns: "void",
  },
} as const satisfies Calls;

/** The name of a message. */
export type MessageName = keyof typeof WIRE;
