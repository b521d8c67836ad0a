// What an endpoint sent and its peer was not seen to receive, oldest first: rings keep the order, so the next delivery is
// the oldest whose bytes are the same. It must not know rules, nor what ends a transaction.

import type { Evidence } from "./finding.ts";
import type { PacketRecord } from "./packet_states.ts";

/** Undelivered packets that are kept of one endpoint; of a trace that shows one end only, nothing is ever delivered. */
const QUEUE_LIMIT = 4096;
/** How far a delivery is looked for: what stands before it was lost with its connection. */
const SEARCH_LIMIT = 64;
/** Bytes that packets in a ring are a multiple of. */
const ALIGNMENT = 8;

/** A transaction: a packet object that was sent, or a synchronous request. */
export interface Sending {
  /** Null: a request. */
  readonly packet: PacketRecord | null;
  readonly sent: Evidence;
  /** It ends when the peer completes it, and not when it is in the ring. */
  readonly waits: boolean;
  readonly bytes: Uint8Array | null;
  readonly length: number;
  /** Its end did not run when it was sent. */
  readonly isQueued: boolean;
  /** The number of the connection in which it was sent, 0: before the first. */
  readonly connection: number;
  /** A restore took it up again: its bytes, and whether it waits, are not known. */
  readonly isRestored: boolean;
  isDelivered: boolean;
  /** Its peer completed it; the completion may stand in the ring behind packets that were not delivered yet. */
  isCompleted: boolean;
  /** It ended without being delivered. */
  isGone: boolean;
  next: Sending | null;
}

/** Undelivered transactions of one endpoint. */
export class PacketQueue {
  #first: Sending | null = null;
  #last: Sending | null = null;
  #size = 0;

  /** Nothing is on its way. */
  get isEmpty(): boolean {
    while (this.#first?.isGone === true) this.#dropTo(this.#first.next, 1);
    return this.#first === null;
  }

  push(sending: Sending): void {
    if (this.#last === null) this.#first = sending;
    else this.#last.next = sending;
    this.#last = sending;
    this.#size += 1;
    if (this.#size > QUEUE_LIMIT) this.#dropTo(this.#first?.next ?? null, 1);
  }

  /** Takes what was delivered with these bytes; what stands before it is gone. Null: nobody was seen to send them. */
  take(bytes: Uint8Array): Sending | null {
    let dropped = 0;
    for (let each = this.#first; each !== null && dropped < SEARCH_LIMIT; each = each.next) {
      dropped += 1;
      if (each.isGone || !hasBytes(each, bytes)) continue;
      each.isDelivered = true;
      this.#dropTo(each.next, dropped);
      each.next = null;
      return each;
    }
    return null;
  }

  #dropTo(first: Sending | null, dropped: number): void {
    this.#first = first;
    if (first === null) this.#last = null;
    this.#size -= dropped;
  }
}

/** Rings carry multiples of 8 bytes: what is delivered may be longer by what was added (kmcl.md 6.3). */
function hasBytes({ bytes, length }: Sending, delivered: Uint8Array): boolean {
  if (bytes === null || bytes.length < length) return false;
  if (delivered.length < length || delivered.length >= length + ALIGNMENT) return false;
  for (let index = 0; index < length; index += 1) if (bytes[index] !== delivered[index]) return false;
  return true;
}
