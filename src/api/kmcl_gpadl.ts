// GPADLs of the Kernel Mode Client Library, declared: guest memory that a client shows and a server maps.
// It must not know what the memory is for.

import type { Calls } from "./grammar.ts";

/** Calls about GPADLs. */
export const KMCL_GPADL = {
  VmbChannelCreateGpadlFromBuffer: {
    id: 29,
    endpoint: "client",
    doc: "Shows a buffer to the server: locks it, sends its description, returns when the host has confirmed it.",
    source: "fn:channel_create_gpadl_from_buffer",
    params: {
      Channel: "in channel",
      Flags: "in gpadlFlags",
      Buffer: "in buffer",
      ByteCount: "in byteCount",
      GpadlHandle: "out gpadl",
    },
    returns: "status",
    needs: { Channel: ["opening", "open", "closing"] },
    effects: ["create GpadlHandle"],
    irql: "PASSIVE_LEVEL",
  },
  VmbChannelCreateGpadlFromMdl: {
    id: 30,
    endpoint: "client",
    doc: "Shows a part of an MDL chain to the server; a data length of 0 means to the end of the chain.",
    source: "fn:channel_create_gpadl_from_mdl",
    params: {
      Channel: "in channel",
      Flags: "in gpadlFlags",
      Mdl: "in mdl",
      StartOffsetWithinMdl: "in byteOffset",
      DataLengthWithinMdl: "in byteCount",
      GpadlHandle: "out gpadl",
    },
    returns: "status",
    needs: { Channel: ["opening", "open", "closing"] },
    effects: ["create GpadlHandle"],
    irql: "PASSIVE_LEVEL",
  },
  VmbChannelDeleteGpadl: {
    id: 31,
    endpoint: "client",
    doc: "Tears a GPADL down; waits while the server has it mapped. Exactly once for each create.",
    source: "fn:channel_delete_gpadl",
    params: { Channel: "in channel", GpadlHandle: "in gpadl" },
    returns: "void",
    effects: ["destroy GpadlHandle"],
    blocks: true,
    irql: "PASSIVE_LEVEL",
  },
  VmbChannelMapGpadl: {
    id: 32,
    endpoint: "server",
    doc: "Maps a client's buffer into the server's physical space; one mapping at a time.",
    source: "fn:channel_map_gpadl",
    params: { Channel: "in channel", Flags: "in gpadlFlags", GpadlHandle: "in gpadl", Mdl: "out mdl" },
    returns: "status",
    needs: { Channel: ["opening", "open", "closing", "closed", "disabled"] },
    effects: ["map GpadlHandle", "create Mdl"],
    irql: "PASSIVE_LEVEL",
  },
  VmbChannelUnmapGpadl: {
    id: 33,
    endpoint: "server",
    doc: "Removes the mapping; its MDL is invalid from then on and must no longer be in use.",
    source: "fn:channel_unmap_gpadl",
    params: { Channel: "in channel", GpadlHandle: "in gpadl" },
    returns: "void",
    effects: ["unmap GpadlHandle"],
    irql: "PASSIVE_LEVEL",
  },
} as const satisfies Calls;
