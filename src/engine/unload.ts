// The guest leaves the bus: its channels close as if each were disabled, then the host lets go of every GPADL, which a view
// that is never unmapped holds up for ever (kmcl.md 5.6). It must not know how channels close.

import { type Behaviour, blocked, done, refuse, type Reply, type Scope } from "./behaviour.ts";
import { tearDown } from "./channel.ts";
import { type Channel, connectWaiting, isConnectionUp } from "./connection.ts";
import { sendUnload, sendUnloadResponse, takeOffers } from "./vmbus.ts";
import type { World } from "./world.ts";

/**
 * Returns when no connection is up and no GPADL is left; those that no driver deleted end with it. A client that is enabled
 * meanwhile waits for that, too: its guest has to come back to the bus first.
 */
function unload(scope: Scope): Reply {
  const { world } = scope;
  if (!scope.retry) {
    if (world.wire.unload !== "none") return refuse("the guest is leaving the bus already");
    if (world.wire.isVmSaved) return refuse("the guest is saved");
    world.wire.unload = "closing";
    for (const client of clients(world)) tearDown(scope, client);
  }
  if (world.wire.unload === "closing") {
    // Also a server whose client has gone on without it: it still has the rings of their connection.
    for (const channel of world.all("channel")) {
      if (isConnectionUp(world, { channel, ...channel.data })) return blocked();
    }
    world.wire.unload = "sent";
    sendUnload(world);
    for (const gpadl of world.all("gpadl")) {
      gpadl.data.isDeleting = true;
      gpadl.state = "deleting";
    }
  }
  const left = [...world.all("gpadl")];
  if (left.some(({ data }) => data.mapping !== 0)) return blocked();
  for (const gpadl of left) {
    gpadl.data.whole = [];
    world.destroy(gpadl);
  }
  world.wire.unload = "none";
  sendUnloadResponse(world);
  for (const client of clients(world)) {
    if (client.state !== "enabled") continue;
    takeOffers(world, client);
    connectWaiting(world, client, scope.event);
  }
  return done();
}

function clients(world: World): readonly Channel[] {
  return [...world.all("channel")].filter(({ data }) => !data.isServer);
}

/** Behaviour of the guest's end. */
export const UNLOAD_BEHAVIOURS = { UnloadVmbus: unload } as const satisfies Readonly<Record<string, Behaviour>>;
