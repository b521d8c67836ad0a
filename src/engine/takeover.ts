// A restored channel that goes on with the connection of the one that was saved (kmcl.md 6.2): while the guest stands still its
// end is open all the time, and its memory (rings, GPADLs) is what it was. Where no such guest is there, or the channel was made
// to force a new one, the caller offers it anew. It must not know chunks.

import type { SavedConnection } from "../api/mod.ts";
import { advance, type Channel, peerOf } from "./connection.ts";
import type { Outgoing, RingPages } from "./objects.ts";
import { resumeLink } from "./vmbus.ts";
import type { World } from "./world.ts";

/** Takes over the connection that a restored server's image is of; false: there is none to take over. */
export function takeOver(world: World, server: Channel, cause: number): boolean {
  const { data } = server;
  const { restore } = data;
  if (restore === null || !restore.isWhole || restore.failure !== null || restore.connection === null) return false;
  const client = data.forcesNewChannel ? undefined : savedEnd(world, server, restore.connection);
  if (client === undefined) return false;
  const { rings, isBroken } = client.data.transport;
  data.restore = null;
  Object.assign(data, { peer: client.number, connection: client.data.connection, isRescinded: false });
  client.data.peer = server.number;
  Object.assign(data.transport, { rings, isShut: false, isBroken });
  data.transport.responses = restore.connection.responses.map(outgoing);
  for (const gpadl of world.all("gpadl")) {
    const isOf = gpadl.data.channel === client.number && gpadl.data.connection === data.connection;
    if (isOf) gpadl.data.server = server.number;
  }
  resumeLink(world, server, client);
  const isTold = world.options["restored-opened"] === "called";
  server.state = isTold ? "opening" : "open";
  data.phase = isTold ? "opening" : "stopped";
  world.meeting.update(server);
  for (const { number } of [server, client]) world.waiters.wake("channel", number);
  advance(world, server, cause);
  return true;
}

/** The saved guest's end: open in that connection with those rings, and without another end since the saved one is down. */
function savedEnd(world: World, server: Channel, { number, toServer, toClient }: SavedConnection): Channel | undefined {
  if (!world.wire.isVmSaved) return undefined;
  for (const client of world.all("channel")) {
    const { data, state } = client;
    const isIt = !data.isServer && data.connection === number && state === "open" &&
      data.interfaceType === server.data.interfaceType;
    if (isIt && peerOf(world, client) === undefined && areSame(data.transport.rings, { toServer, toClient })) {
      return client;
    }
  }
  return undefined;
}

function areSame(rings: RingPages | null, saved: RingPages): boolean {
  const areEqual = (one: readonly number[], other: readonly number[]) =>
    one.length === other.length && one.every((page, index) => page === other[index]);
  return rings !== null && areEqual(rings.toServer, saved.toServer) && areEqual(rings.toClient, saved.toClient);
}

function outgoing({ transaction, payload }: SavedConnection["responses"][number]): Outgoing {
  return { packet: 0, request: 0, transaction, waits: false, ranges: [], chainLength: 0, payload };
}
