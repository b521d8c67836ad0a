// Hand-made traces of two ends of a channel, for tests of packet and save rules: what another system might have recorded,
// and what no run of the model shows. It must not know any rule.

import type { CallbackName, CallName } from "../../src/api/mod.ts";
import { audit } from "../../src/audit/mod.ts";
import { EventList, header, type Named, ref, returned, status } from "../support/events.ts";
import { traceOf } from "./story.ts";

const IDENTITY = { InterfaceType: "{11111111-0000-0000-0000-000000000001}" };

/** A channel in the making; the server's end is channel#1. */
export class PacketStory {
  readonly list = new EventList();
  readonly server = ref("channel", 1);
  readonly client = ref("channel", 2);
  readonly #maker: string;

  /** `maker`: whose trace it is; without callbacks an end passes them at once. */
  constructor({ maker = "engine" }: { readonly maker?: string } = {}) {
    this.#maker = maker;
    for (const [side, channel] of [["server", this.server], ["client", this.client]] as const) {
      this.list.call(side, "VmbChannelAllocate", { IsServer: side === "server" }, { outs: { Channel: channel } });
      this.list.call(side, "VmbChannelInitSetStateChangeCallbacks", {
        Channel: channel,
        StateChangeCallbacks: { Version: 1, Size: 48, EvtChannelSuspend: true },
      });
    }
    this.list.call("server", "VmbServerChannelInitSetTargetInterfaceId", {
      Channel: this.server,
      InterfaceInstance: "{22222222-0000-0000-0000-000000000001}",
      ...IDENTITY,
    });
    this.list.call("client", "VmbClientChannelInitSetTargetPnp", { Channel: this.client, ...IDENTITY });
  }

  /** Enables both ends: from here on the channel runs. */
  open(): this {
    this.list.call("server", "VmbChannelEnable", { Channel: this.server });
    this.list.call("server", "VmbChannelStart", { Channel: this.server });
    this.list.call("client", "VmbChannelEnable", { Channel: this.client });
    return this;
  }

  /** The client allocates a packet of this number. */
  allocate(number: number): this {
    this.list.call("client", "VmbPacketAllocate", { Channel: this.client }, {
      outcome: returned(ref("packet", number)),
    });
    return this;
  }

  /** The client sends it: a byte, so that packets differ. */
  send(number: number, Flags = 0): this {
    const args = { PacketObject: ref("packet", number), Buffer: Uint8Array.of(number), BufferLength: 1, Flags };
    this.list.call("client", "VmbPacketSend", args);
    return this;
  }

  /** A client's call on a packet. */
  use(name: CallName, number: number, args: Named = {}): number {
    const packet = name === "VmbPacketFree" ? "VmbPacket" : "PacketObject";
    return this.list.call("client", name, { [packet]: ref("packet", number), ...args });
  }

  /** The server gets packet `number` as a completion of the same number; whatever `inside` does is done in the callback. */
  deliver(number: number, inside: (callback: number) => void = () => {}): this {
    const callback = this.list.callback("server", "EvtVmbChannelProcessPacket", {
      Channel: this.server,
      Packet: ref("completion", number),
      Buffer: Uint8Array.of(number, 0, 0, 0, 0, 0, 0, 0),
      BufferLength: 8,
    });
    inside(callback);
    this.list.return(callback);
    return this;
  }

  /** A server's call on a delivered packet. */
  onDelivered(name: CallName, number: number, details: { readonly cause?: number } = {}): number {
    return this.list.call("server", name, { PacketCompletionContext: ref("completion", number) }, details);
  }

  /** A callback with nothing inside. */
  callback(side: string, name: CallbackName, args: Named): this {
    this.list.return(this.list.callback(side, name, args));
    return this;
  }

  /** Takes both ends down. */
  close(): this {
    for (const [side, channel] of [["client", this.client], ["server", this.server]] as const) {
      this.list.call(side, "VmbChannelDisable", { Channel: channel });
      this.list.call(side, "VmbChannelCleanup", { Channel: channel });
    }
    return this;
  }

  /** `P-02 @12`, and the verdict where it is not certain; channels that are left are not told. */
  found(): string[] {
    const trace = traceOf(this.list.events, { header: header({ maker: this.#maker }) });
    return audit(trace).findings.filter(({ rule }) => rule !== "channel-leak").map(({ code, event, verdict }) =>
      `${code} @${event}${verdict === "certain" ? "" : ` ${verdict}`}`
    );
  }

  /** What the audit counted of a kind. */
  pairing(thing: string): string {
    const count = audit(traceOf(this.list.events)).pairing[thing];
    if (count === undefined) return "";
    const { starts, ends, pairs, liveAtEnd, leaked } = count;
    return `${starts} starts, ${ends} ends, ${pairs} pairs, ${liveAtEnd} live, ${leaked} leaked`;
  }

  /** The newest event. */
  get last(): number {
    return this.list.events.at(-1)?.event ?? 0;
  }
}

export { ref, status };
