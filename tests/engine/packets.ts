// An open pair of endpoints that send packets, for tests of what moves them: what arrived and what completed, as text.

import { type CallName, statusName } from "../../src/api/mod.ts";
import { assert } from "../support/assert.ts";
import type { Answer } from "../support/model.ts";
import { numberOf, Pair } from "./endpoints.ts";

/** Format flags. */
export const WAIT = 1;
export type End = "client" | "server";

/** A packet that arrived: its context, and the first byte of what it carries. */
export interface Arrived {
  readonly end: End;
  readonly completion: number;
  readonly event: number;
  readonly first: number;
  readonly length: number;
}

/** Two endpoints; by default both are open, and whoever gets a packet leaves it uncompleted. */
export class Packets extends Pair {
  readonly arrived: Arrived[] = [];
  /** `packet#1 STATUS_SUCCESS 0102`: routines called. */
  readonly ended: string[] = [];
  /** `server 2`: batches that were over. */
  readonly batches: string[] = [];
  /** Called with each packet that arrives, inside its ProcessPacket. */
  onArrival: (packet: Arrived) => void = () => {};

  constructor(options: Readonly<Record<string, string>> = {}) {
    super(options);
    this.handler = ({ name, side, event }) => {
      const ins = this.engine.world.running.find((each) => each.event === event)?.ins ?? [];
      const end = side === "server" ? "server" : "client";
      if (name === "EvtVmbChannelProcessingComplete") this.batches.push(`${end} ${String(ins[1])}`);
      if (name === "EvtVmbPacketCompletionRoutine") this.#ended(ins);
      if (name === "EvtVmbChannelProcessPacket") this.#arrive(end, event, ins);
    };
  }

  channelOf(end: End): number {
    return end === "server" ? this.server : this.client;
  }

  /** A packet object, with a routine of the driver's where `routine`. */
  packet(end: End = "client", routine = true): number {
    const packet = numberOf(this.call(end, "VmbPacketAllocate", { Channel: this.channelOf(end) }).value);
    if (routine) this.call(end, "VmbPacketSetCompletionRoutine", { PacketObject: packet, CompletionRoutine: true });
    return packet;
  }

  send(
    packet: number,
    bytes: readonly number[] | number,
    options: { end?: End; flags?: number; drain?: boolean } = {},
  ) {
    const { end = "client", flags = 0, drain = true } = options;
    const Buffer = typeof bytes === "number" ? new Uint8Array(bytes) : Uint8Array.from(bytes);
    const args = { PacketObject: packet, Buffer, BufferLength: Buffer.length, Flags: flags };
    return this.call(end, "VmbPacketSend", args, drain);
  }

  /** A packet made and sent with WAIT_FOR_COMPLETION; its handle. */
  request(bytes: readonly number[] | number, end: End = "client"): number {
    const packet = this.packet(end);
    const { status } = this.send(packet, bytes, { end, flags: WAIT });
    assert(status === 0, statusName(status));
    return packet;
  }

  complete(completion: number, end: End = "server", bytes: readonly number[] = []): Answer {
    const PacketCompletionBuffer = Uint8Array.from(bytes);
    const args = { PacketCompletionContext: completion, PacketCompletionBuffer, BufSize: bytes.length };
    return this.call(end, "VmbChannelPacketComplete", args);
  }

  on(end: End, name: CallName): Answer {
    return this.call(end, name, { Channel: this.channelOf(end) });
  }

  stateOf(handle: number): string {
    return this.engine.world.resolve("packet", handle)?.state ?? "gone";
  }

  /** First bytes of the packets that arrived at an end, in order. */
  firsts(end: End = "server"): number[] {
    return this.arrived.filter((each) => each.end === end).map(({ first }) => first);
  }

  last(): Arrived {
    const last = this.arrived.at(-1);
    assert(last !== undefined, "no packet arrived");
    return last;
  }

  #arrive(end: End, event: number, ins: readonly unknown[]): void {
    const [, completion, buffer] = ins;
    assert(typeof completion === "object" && completion !== null && "handle" in completion);
    assert(buffer instanceof Uint8Array && typeof completion.handle === "number");
    const packet = {
      end,
      completion: completion.handle,
      event,
      first: buffer[0] ?? -1,
      length: buffer.length,
    } as const;
    this.arrived.push(packet);
    this.onArrival(packet);
  }

  #ended([packet, status, buffer]: readonly unknown[]): void {
    assert(typeof status === "number" && buffer instanceof Uint8Array);
    const number = typeof packet === "object" && packet !== null && "number" in packet ? packet.number : 0;
    const hex = Array.from(buffer, (byte) => byte.toString(16).padStart(2, "0")).join("");
    this.ended.push(`packet#${number} ${statusName(status)} ${hex}`.trim());
  }
}
