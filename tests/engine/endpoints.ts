// Two endpoints ready to use, and shorthand for what tests of channels and GPADLs keep asking.

import { channelState } from "../../src/engine/channel.ts";
import { type EngineObject } from "../../src/engine/mod.ts";
import { assert } from "../support/assert.ts";
import { type Answer, Model } from "../support/model.ts";

export const TYPE = "{11111111-0000-0000-0000-000000000001}";
export const INSTANCE = "{22222222-0000-0000-0000-000000000001}";

/** A number out of an answer. */
export function numberOf(value: Answer["value"] | undefined): number {
  assert(typeof value === "number", `${String(value)} is no number`);
  return value;
}

/** A model with a server channel#1 and a client channel#2 of the same interface, both still disabled. */
export class Pair extends Model {
  readonly server: number;
  readonly client: number;

  constructor(options: Readonly<Record<string, string>> = {}) {
    super(options);
    this.server = this.addServer();
    this.client = this.addClient();
  }

  addServer(type = TYPE, instance = INSTANCE): number {
    const channel = numberOf(this.call("server", "VmbChannelAllocate", { IsServer: true }).outs.Channel);
    this.call("server", "VmbServerChannelInitSetTargetInterfaceId", {
      Channel: channel,
      InterfaceType: type,
      InterfaceInstance: instance,
    });
    return channel;
  }

  addClient(type = TYPE, instance: string | null = null): number {
    const channel = numberOf(this.call("client", "VmbChannelAllocate", { IsServer: false }).outs.Channel);
    this.call("client", "VmbClientChannelInitSetTargetPnp", {
      Channel: channel,
      InterfaceType: type,
      InterfaceInstance: instance,
    });
    return channel;
  }

  /** Enables and starts the server, enables the client: both are open and active, and nothing is noted yet. */
  open(): this {
    this.call("server", "VmbChannelEnable", { Channel: this.server });
    this.call("server", "VmbChannelStart", { Channel: this.server });
    this.call("client", "VmbChannelEnable", { Channel: this.client });
    this.callbacks.length = 0;
    return this;
  }

  /** The callbacks since the last time, as `server Opened`. */
  seen(): string[] {
    return this.callbacks.splice(0).map((line) => line.replace("EvtVmbChannel", "").replace(/ channel#[12]$/, ""));
  }

  channel(number: number): EngineObject<"channel"> {
    const channel = this.engine.world.find("channel", number);
    assert(channel !== undefined, `channel#${number} does not live`);
    return channel;
  }

  /** Both ends' states: `server state, client state`. */
  states(): string {
    return `${channelState(this.channel(1))}, ${channelState(this.channel(2))}`;
  }

  /** Enter events of the calls that left, in order, taken. */
  left(): number[] {
    return this.leaves.splice(0).map(({ event }) => event);
  }

  /** Delivers the oldest callback that may run, and no other. */
  step(): string {
    const [next] = this.engine.deliverable();
    assert(next !== undefined, "no callback may be delivered");
    this.deliver(next.id);
    return this.seen().at(-1) ?? "";
  }
}
