// What the engine knows of packets, as plain data: what is on its way at an endpoint, packet objects, delivered packets.
// It must not know how any of it moves; that is `transport.ts`.

import type { GpaRange } from "./ring.ts";

/** The pages of a connection's two rings, each its control page first. */
export interface RingPages {
  readonly toServer: readonly number[];
  readonly toClient: readonly number[];
}

/** Who sent a packet: a packet object by its number, or a synchronous request by its enter event; the other is 0. */
export interface Sender {
  readonly packet: number;
  readonly request: number;
}

/** A packet that is not in the ring yet; a completion has no sender. */
export interface Outgoing extends Sender {
  readonly transaction: number;
  /** The sender's transaction goes on until the peer completes it. */
  readonly waits: boolean;
  /** Guest pages that travel with it. */
  readonly ranges: readonly GpaRange[];
  /** How many MDLs these came from. */
  readonly chainLength: number;
  readonly payload: Uint8Array;
}

/** A synchronous request that has not returned. */
export interface SyncRequest {
  /** The callback that it was made in, 0: none. */
  readonly insideCallback: number;
  /** Virtual time in nanoseconds, null: for ever. */
  readonly deadlineNs: bigint | null;
  /** Room for the completion's bytes. */
  readonly roomBytes: number;
  readonly transaction: number;
  /** How it ended, null: not yet. */
  status: number | null;
  payload: Uint8Array;
}

/** What moves packets at an endpoint: its limits, its ends of the rings, what waits for what (kmcl.md 6). */
export interface TransportData {
  maximumPacketBytes: number;
  maximumExternalBytes: number;
  maximumChainLength: number;
  contextBytes: number;
  /** Data pages of each ring that a client asked for, 0: the model's default. */
  incomingPages: number;
  outgoingPages: number;
  /** Most incoming packets outstanding, 0: no limit. */
  quota: number;
  requiresPassive: boolean;
  /** The current connection's, at both ends; null: there is none. */
  rings: RingPages | null;
  /** This end has left the current connection's rings: nothing moves any more. */
  isShut: boolean;
  /** Ring memory made no sense: nothing is read or written any more. */
  isBroken: boolean;
  /** Sends that wait for the open, or for room in the ring, oldest first. */
  queue: Outgoing[];
  /** Completions that wait for room. */
  responses: Outgoing[];
  /** Sent packets that wait for the peer's completion, by transaction. */
  readonly awaiting: Map<number, Outgoing>;
  /** By their enter event. */
  readonly requests: Map<number, SyncRequest>;
  /** 0 is none (kmcl.md 6.3). */
  nextTransaction: number;
  /** Numbers of completions: packets delivered, or about to be, and not completed. */
  readonly outstanding: Set<number>;
  /** The completion whose ProcessPacket was made and has not returned, 0: none. */
  delivering: number;
  /** Packets delivered since the last ProcessingComplete. */
  batch: number;
  /** The quota made a packet wait: only a completion goes on. */
  isHeld: boolean;
  /** A packet was failed: nothing is delivered until the channel closes. */
  isStopped: boolean;
}

/** A packet object. */
export interface PacketData {
  /** The number of the channel it belongs to. */
  readonly channel: number;
  /** Made by VmbPacketAllocate; else it is in the caller's memory. */
  readonly isAllocated: boolean;
  /** What ends a transaction: the library frees the packet, the driver's routine is called, nothing is set. */
  routine: "free" | "driver" | "none";
  pointer: bigint;
}

/** A delivered packet's context. */
export interface CompletionData {
  /** The receiving channel's number. */
  readonly channel: number;
  readonly transaction: number;
  /** The peer waits for a completion packet. */
  readonly wantsCompletion: boolean;
  readonly ranges: readonly GpaRange[];
  readonly payload: Uint8Array;
  /** It is to be delivered again. */
  isDue: boolean;
  /** Only at PASSIVE_LEVEL. */
  isDeferred: boolean;
  /** STATUS_PENDING was answered. */
  wasPending: boolean;
  /** The number of its external data's MDL, 0: none was asked for. */
  mdl: number;
}
