// Orders of callbacks that documents fix, as data: what must come after what at one endpoint.
// It must not know traces, nor how an order is looked for.

/** An order of callbacks that documents fix: what comes one after the other at one endpoint (kmcl.md 1.3). */
export interface CallbackOrder {
  readonly doc: string;
  readonly source: string;
  /** Callbacks that begin, calls that begin, and `NAME returned`; a step may come more than once. */
  readonly steps: readonly string[];
  /** What may not come in between. */
  readonly without?: readonly string[];
}

/** Orders by name. What else comes in between is left out of account. */
export const CALLBACK_ORDERS = {
  "open while active": {
    doc: "Opened, then Started, then PostStarted.",
    source: "kmcl.md 1.3 (1)",
    steps: ["EvtVmbChannelOpened", "EvtVmbChannelStarted", "EvtVmbChannelPostStarted"],
    without: ["VmbChannelStart"],
  },
  "open while paused": {
    doc: "Opened alone; Started and PostStarted when it is started.",
    source: "kmcl.md 1.3 (2)",
    steps: ["EvtVmbChannelOpened", "VmbChannelStart", "EvtVmbChannelStarted", "EvtVmbChannelPostStarted"],
  },
  "pause": {
    doc: "Suspend, then outstanding packets are completed, then Pause returns.",
    source: "kmcl.md 1.3 (3)",
    steps: ["VmbChannelPause", "EvtVmbChannelSuspend", "VmbChannelPacketComplete", "VmbChannelPause returned"],
  },
  "close while active": {
    doc: "Suspend, then outstanding packets are completed, then Closed.",
    source: "kmcl.md 1.3 (4)",
    steps: ["EvtVmbChannelSuspend", "VmbChannelPacketComplete", "EvtVmbChannelClosed"],
  },
  "no packet while suspended": {
    doc: "After Suspend no ProcessPacket until the next Started.",
    source: "kmcl.md 1.3 (5)",
    steps: ["EvtVmbChannelProcessPacket", "EvtVmbChannelSuspend", "EvtVmbChannelStarted", "EvtVmbChannelProcessPacket"],
  },
  "reopen": {
    doc: "Each open repeats the whole sequence.",
    source: "kmcl.md 1.3 (6)",
    steps: ["EvtVmbChannelClosed", "EvtVmbChannelOpened", "EvtVmbChannelStarted", "EvtVmbChannelPostStarted"],
  },
} as const satisfies Readonly<Record<string, CallbackOrder>>;
