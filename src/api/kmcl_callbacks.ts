// Callbacks of the Kernel Mode Client Library, declared, with the parameter or member that registers each.
// It must not know in what order they come.

import type { Calls } from "./grammar.ts";
import type { STRUCTS } from "./structs.ts";

/** Callbacks that the library makes into a driver. */
export const KMCL_CALLBACKS = {
  EvtVmbChannelOpened: {
    id: 101,
    endpoint: "both",
    doc: "The channel is open; a failing status rolls it back.",
    source: "evt:channel_opened",
    params: { Channel: "in channel" },
    returns: "status",
    irql: "PASSIVE_LEVEL",
  },
  EvtVmbChannelClosed: {
    id: 102,
    endpoint: "both",
    doc: "The channel is closed; a client must have deleted all its GPADLs when this returns.",
    source: "evt:channel_closed",
    params: { Channel: "in channel" },
    returns: "void",
    irql: "PASSIVE_LEVEL",
  },
  EvtVmbChannelSuspend: {
    id: 103,
    endpoint: "both",
    doc: "The channel stops running; every outstanding packet must be completed in the end.",
    source: "evt:channel_suspend",
    params: { Channel: "in channel" },
    returns: "void",
    irql: "PASSIVE_LEVEL",
  },
  EvtVmbChannelStarted: {
    id: 104,
    endpoint: "both",
    doc: "The channel is configured and no packet has been delivered yet; must not wait for packets.",
    source: "evt:channel_started",
    params: { Channel: "in channel" },
    returns: "void",
    irql: "PASSIVE_LEVEL",
  },
  EvtVmbChannelPostStarted: {
    id: 105,
    endpoint: "both",
    doc: "Packets can be received; waiting for sent packets is allowed.",
    source: "evt:channel_post_started",
    params: { Channel: "in channel" },
    returns: "void",
    irql: "PASSIVE_LEVEL",
  },
  EvtVmbChannelProcessPacket: {
    id: 106,
    endpoint: "both",
    doc: "A packet arrived; it must be completed exactly once.",
    source: "evt:channel_process_packet",
    params: {
      Channel: "in channel",
      Packet: "in completion",
      Buffer: "in bytes",
      BufferLength: "in byteCount",
      Flags: "in deliveryFlags",
    },
    returns: "void",
    effects: ["create Packet"],
  },
  EvtVmbChannelProcessingComplete: {
    id: 107,
    endpoint: "both",
    doc: "A batch of packets has been delivered.",
    source: "evt:channel_processing_complete",
    params: { Channel: "in channel", PacketsProcessed: "in u32" },
    returns: "void",
  },
  EvtVmbChannelSavePacket: {
    id: 108,
    endpoint: "server",
    doc: "Saves the driver's state of one packet; first asked for the size with a buffer of 0 bytes.",
    source: "evt:channel_save_packet",
    params: {
      Channel: "in channel",
      Packet: "in packet",
      SaveBuf: "out bytes",
      SaveBufSize: "in byteCount",
      BytesNeeded: "out byteCount",
    },
    returns: "status",
    irql: "PASSIVE_LEVEL",
  },
  EvtVmbChannelRestorePacket: {
    id: 109,
    endpoint: "server",
    doc: "Restores one saved packet.",
    source: "evt:channel_restore_packet",
    params: {
      Channel: "in channel",
      LibBuf: "in bytes",
      LibBufSize: "in byteCount",
      SaveBuf: "in bytes",
      SaveBufSize: "in byteCount",
    },
    returns: "status",
    irql: "PASSIVE_LEVEL",
  },
  EvtVmbPacketCompletionRoutine: {
    id: 110,
    endpoint: "both",
    doc: "A transaction is complete: the peer completed it, or the packet is in the ring.",
    source: "evt:packet_completion_routine",
    params: { Packet: "in packet", Status: "in status", Buffer: "in bytes", BufferLength: "in byteCount" },
    returns: "void",
  },
  EvtChannelPnpFailure: {
    id: 111,
    endpoint: "client",
    doc: "Connecting failed although the device was found.",
    source: "evt:channel_pnp_failure",
    params: { Channel: "in channel", FailureStatus: "in status" },
    returns: "void",
    irql: "PASSIVE_LEVEL",
  },
} as const satisfies Calls;

/** The state-change callbacks, in the order of VMB_CHANNEL_STATE_CHANGE_CALLBACKS, each with the member that registers it. */
export const STATE_CALLBACKS = {
  EvtVmbChannelOpened: "EvtChannelOpened",
  EvtVmbChannelClosed: "EvtChannelClosed",
  EvtVmbChannelSuspend: "EvtChannelSuspend",
  EvtVmbChannelStarted: "EvtChannelStarted",
  EvtVmbChannelPostStarted: "EvtChannelPostStarted",
} as const satisfies { readonly [N in StateCallback]: keyof typeof STRUCTS.VMB_CHANNEL_STATE_CHANGE_CALLBACKS.members };

/** A state-change callback. */
export type StateCallback = Extract<
  keyof typeof KMCL_CALLBACKS,
  `EvtVmbChannel${"Opened" | "Closed" | "Suspend" | "Started" | "PostStarted"}`
>;

/** The other callbacks, each with the parameter that registers it. */
export const REGISTERED_CALLBACKS = {
  EvtVmbChannelProcessPacket: "ProcessPacketCallback",
  EvtVmbChannelProcessingComplete: "ProcessingCompleteCallback",
  EvtVmbChannelSavePacket: "SavePacketCallback",
  EvtVmbChannelRestorePacket: "RestorePacketCallback",
  EvtVmbPacketCompletionRoutine: "CompletionRoutine",
  EvtChannelPnpFailure: "PnpFailureCallback",
} as const satisfies { readonly [N in Exclude<keyof typeof KMCL_CALLBACKS, StateCallback>]: string };
