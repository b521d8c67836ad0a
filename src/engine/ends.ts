// The two ends of a connection: which is the other one, and whether either is still up.
// It must not know what happens at an end.

import type { EngineObject } from "./objects.ts";
import type { World } from "./world.ts";

/** One endpoint. */
export type Channel = EngineObject<"channel">;

/** The states of an endpoint that is part of a connection. */
const CONNECTED: ReadonlySet<string> = new Set(["opening", "open", "closing"]);

/** Whether an endpoint is part of this connection and not down yet. */
export function isUp(channel: Channel | undefined, connection: number): boolean {
  return channel !== undefined && channel.data.connection === connection && CONNECTED.has(channel.state);
}

/** Whether a side is one of the guest: saved with it, it makes no calls and hears nothing. */
export function isInGuest(side: string): boolean {
  return side === "client" || side.startsWith("guest");
}

/** The other end, while it is not down. */
export function peerOf(world: World, channel: Channel): Channel | undefined {
  const peer = world.find("channel", channel.data.peer);
  return isUp(peer, channel.data.connection) ? peer : undefined;
}

/** Whether either end of a connection is not down yet. */
export function isConnectionUp(
  world: World,
  { channel, connection, peer }: { readonly channel: Channel; readonly connection: number; readonly peer: number },
): boolean {
  return isUp(channel, connection) || isUp(world.find("channel", peer), connection);
}
