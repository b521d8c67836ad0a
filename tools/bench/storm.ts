// Workload `storm`: the built-in program of that name, which opens, pauses, rescinds and closes channels under load on several
// threads. A step is a channel's whole life: some hundred events, most of them callbacks.

import { storm } from "../../src/programs/mod.ts";
import type { Information } from "./workload.ts";

/** Choices of the schedule in a channel's life, and how many could come next at each: counted over 1,000 channels. */
const CHOICES = 69;
const CANDIDATES = 11.5;
/** Packets in a life; each has a size of 1 to 64 bytes and a byte that fills it. */
const PACKETS = 4.3;
/** What else the program draws: pauses, reopens, who closes, which packets are held or sent again. */
const TURNS_BITS = 30;

/** Every draw of the run shows in the order of its events or in a packet. */
export const INFORMATION: Information = {
  bitsPerStep: CHOICES * Math.log2(CANDIDATES) + PACKETS * (Math.log2(64) + Math.log2(256)) + TURNS_BITS,
  bitsAhead: 0,
  formula: "schedule 69·log2(11.5) + packets 4.3·(size log2(64) + content log2(256)) + turns 30, counted",
};

export default storm;
