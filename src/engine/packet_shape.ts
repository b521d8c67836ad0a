// What packets look like in a snapshot, checked: see `snapshot_shape.ts`.

import type {
  CompletionData,
  Outgoing,
  PacketData,
  RingPages,
  Sender,
  SyncRequest,
  TransportData,
} from "./packet_data.ts";
import type { GpaRange } from "./ring.ts";
import { isBigint, isBytes, isCount, isFlag, list, mapOf, members, oneOf, orNull, setOf, type Shape } from "./shape.ts";

const RANGE = members<GpaRange>({ byteCount: isCount, byteOffset: isCount, pages: list(isCount) });
const SENDER: Shape<Sender> = { packet: isCount, request: isCount };
const OUTGOING = members<Outgoing>({
  ...SENDER,
  transaction: isCount,
  waits: isFlag,
  ranges: list(RANGE),
  chainLength: isCount,
  payload: isBytes,
});
const REQUEST = members<SyncRequest>({
  insideCallback: isCount,
  deadlineNs: orNull(isBigint),
  roomBytes: isCount,
  transaction: isCount,
  status: orNull(isCount),
  payload: isBytes,
});
/** What is on its way at an endpoint. */
export const TRANSPORT = members<TransportData>({
  maximumPacketBytes: isCount,
  maximumExternalBytes: isCount,
  maximumChainLength: isCount,
  contextBytes: isCount,
  incomingPages: isCount,
  outgoingPages: isCount,
  quota: isCount,
  requiresPassive: isFlag,
  rings: orNull(members<RingPages>({ toServer: list(isCount), toClient: list(isCount) })),
  isShut: isFlag,
  isBroken: isFlag,
  queue: list(OUTGOING),
  responses: list(OUTGOING),
  awaiting: mapOf(isCount, OUTGOING),
  requests: mapOf(isCount, REQUEST),
  nextTransaction: isCount,
  outstanding: setOf(isCount),
  delivering: isCount,
  batch: isCount,
  isHeld: isFlag,
  isStopped: isFlag,
});
/** A packet object. */
export const PACKET = members<PacketData>({
  channel: isCount,
  isAllocated: isFlag,
  routine: oneOf("free", "driver", "none"),
  pointer: isBigint,
});
/** A delivered packet. */
export const COMPLETION = members<CompletionData>({
  channel: isCount,
  transaction: isCount,
  wantsCompletion: isFlag,
  ranges: list(RANGE),
  payload: isBytes,
  isDue: isFlag,
  isDeferred: isFlag,
  wasPending: isFlag,
  mdl: isCount,
});
