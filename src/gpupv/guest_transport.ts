// How the guest's graphics kernel asks its host: a message is a synchronous request on the global channel or on that of the
// virtual GPU, the reply is its completion. Rules: gpuva.md 5.4, "Transport rules". It must not know what messages are about.

import { ioctlResult, ntSuccess } from "../api/mod.ts";
import type { Thread } from "../driver/mod.ts";
import type { LayoutRecord } from "../wire/mod.ts";
import { EINVAL, ENODEV, EOVERFLOW, type Errno } from "./guest_state.ts";
import { decodeReply, encodeMessage, type Framing, type MessageName, MESSAGES } from "./messages.ts";

const WAIT_FOR_COMPLETION = 1;
const COMPLETION_UNIT = 8;

/** The client ends of the two channels. */
export interface GuestChannels {
  readonly global: number;
  /** 0 before the virtual GPU is there. */
  readonly vgpu: number;
}

/** What a message needs beside its fields. */
export interface SendOptions {
  readonly fields: LayoutRecord;
  /** Bytes of the reply beyond its structure. */
  readonly moreBytes?: number;
}

/** Sends messages for one guest process. */
export class GuestTransport {
  readonly framing: Framing;
  /** Whether the host takes messages without a reply; then all traffic goes over the global channel. */
  readonly isAsyncEnabled: boolean;
  channels: GuestChannels = { global: 0, vgpu: 0 };
  /** The host's handle of the process. */
  process = 0;
  /** Channels that were taken down: a request there would wait for the next open. */
  readonly #down: ReadonlySet<number>;

  constructor({ framing, isAsyncEnabled, down }: {
    readonly framing: Framing;
    readonly isAsyncEnabled: boolean;
    readonly down: ReadonlySet<number>;
  }) {
    this.framing = framing;
    this.isAsyncEnabled = isAsyncEnabled;
    this.#down = down;
  }

  /** Whether the channel on which memory is shown was taken down. */
  get isGlobalDown(): boolean {
    return this.#down.has(this.channels.global);
  }

  /** Sends a message and waits for its reply; an errno where there is none, or a shorter one. */
  async ask(thread: Thread, name: MessageName, { fields, moreBytes = 0 }: SendOptions): Promise<LayoutRecord | Errno> {
    const Buffer = encodeMessage({ name, process: this.process, fields }, this.framing);
    if (Buffer === null) return EINVAL;
    if (this.#down.has(this.#channelOf(name))) return ENODEV;
    const wanted = MESSAGES[name].reply.bytes + moreBytes;
    const { status, CompletionBuffer } = await thread.client.VmbChannelSendSynchronousRequest({
      Channel: this.#channelOf(name),
      Buffer,
      BufferSize: Buffer.length,
      Flags: WAIT_FOR_COMPLETION,
      CompletionBufferSize: Math.ceil(wanted / COMPLETION_UNIT) * COMPLETION_UNIT,
    });
    if (!ntSuccess(status)) return ioctlResult(status);
    return CompletionBuffer.length < wanted ? EOVERFLOW : decodeReply(name, CompletionBuffer) ?? EOVERFLOW;
  }

  /** Sends a message whose reply is a status: as an ioctl's result. */
  async command(thread: Thread, name: MessageName, fields: LayoutRecord): Promise<number> {
    const reply = await this.ask(thread, name, { fields });
    return typeof reply === "number" ? reply : ioctlResult(statusIn(reply));
  }

  /** Sends a message that nobody answers; refused where the host does not take such, as on the channel of a virtual GPU. */
  async post(thread: Thread, name: MessageName, fields: LayoutRecord): Promise<number> {
    if (!this.isAsyncEnabled) return EINVAL;
    const Buffer = encodeMessage({ name, process: this.process, fields, isAsync: true }, this.framing);
    if (Buffer === null) return EINVAL;
    if (this.#down.has(this.#channelOf(name))) return ENODEV;
    const { client } = thread;
    const { value: PacketObject } = await client.VmbPacketAllocate({ Channel: this.#channelOf(name) });
    const { status } = await client.VmbPacketSend({ PacketObject, Buffer, BufferLength: Buffer.length });
    if (!ntSuccess(status)) await client.VmbPacketFree({ VmbPacket: PacketObject });
    return ioctlResult(status);
  }

  #channelOf(name: MessageName): number {
    const { global, vgpu } = this.channels;
    return this.isAsyncEnabled || MESSAGES[name].isGlobal ? global : vgpu;
  }
}

/** The status of a reply that has one. */
function statusIn(reply: LayoutRecord): number {
  return typeof reply["status"] === "number" ? reply["status"] : 0;
}
