// Save and restore of the Kernel Mode Client Library, declared: a server's channel and its packets as bytes, and back.
// It must not know what the bytes mean. (A packet's own restore stands with the packets.)

import type { Calls } from "./grammar.ts";

/** Calls about the saved state of a channel. */
export const KMCL_SAVE = {
  VmbChannelSaveBegin: {
    id: 53,
    endpoint: "server",
    doc: "Opens a save of the channel's state.",
    source: "fn:channel_save_begin",
    params: { Channel: "in channel" },
    returns: "status",
    refuses: [
      ["a save or a restore is open", "refusal-status"],
      ["the channel is not paused (option save-state)", "refusal-status"],
    ],
    mustInspect: true,
  },
  VmbChannelSaveContinue: {
    id: 54,
    endpoint: "server",
    doc: "Writes the next whole chunks of the saved state.",
    source: "fn:channel_save_continue",
    params: {
      Channel: "in channel",
      SaveBuffer: "out bytes",
      SaveBufferSize: "in byteCount",
      BytesFilled: "out byteCount",
      BytesRequired: "out byteCount",
    },
    returns: "status",
    refuses: [
      ["no save is open, or a Continue has not returned", "refusal-status"],
      ["the channel is not paused (option save-state)", "refusal-status"],
    ],
    answers: ["STATUS_BUFFER_TOO_SMALL", "STATUS_BUFFER_OVERFLOW"],
    blocks: true,
    mustInspect: true,
    irql: "PASSIVE_LEVEL",
  },
  VmbChannelSaveEnd: {
    id: 55,
    endpoint: "server",
    doc: "Ends a save; always pairs with its begin.",
    source: "fn:channel_save_end",
    params: { Channel: "in channel" },
    returns: "void",
    refuses: [
      ["no save is open", "refused"],
      ["a Continue has not returned", "refused"],
    ],
  },
  VmbChannelRestoreFromBuffer: {
    id: 56,
    endpoint: "server",
    doc: "Restores whole chunks of a saved state; STATUS_MORE_PROCESSING_REQUIRED means: more chunks exist.",
    source: "fn:channel_restore_from_buffer",
    params: { Channel: "in channel", Buffer: "in bytes", BufferSize: "in byteCount" },
    returns: "status",
    refuses: [
      ["a save is open, a restore is over, packets are on their way", "refusal-status"],
      ["Buffer is not the next whole chunks", "restore-image-status"],
      ["packets without a RestorePacketCallback", "refusal-status"],
    ],
    answers: ["STATUS_MORE_PROCESSING_REQUIRED"],
    needs: { Channel: ["disabled"] },
    blocks: true,
    mustInspect: true,
    irql: "PASSIVE_LEVEL",
  },
} as const satisfies Calls;
