// The guest as a saved VM: it stands still, its memory as it is, while the host's channels are saved, let go and restored; then
// it goes on (kmcl.md 6.2). What holds for a guest that stands still is said where it matters: `isVmSaved`. A callback that one of
// its drivers was in may still return: whoever drives the model decides when its threads stop.

import { STATUS } from "../api/mod.ts";
import { type Behaviour, done, refuse, type Reply, type Scope } from "./behaviour.ts";
import { advance, close, peerOf } from "./connection.ts";
import { sendPostponed } from "./vmbus.ts";

function saveVm({ world: { wire } }: Scope): Reply {
  if (wire.isVmSaved) return refuse("the guest is saved already");
  if (wire.unload !== "none") return refuse("the guest is leaving the bus");
  wire.isVmSaved = true;
  return done();
}

/** An end whose server was not restored hears now that it is gone. */
function restoreVm({ world, event }: Scope): Reply {
  if (!world.wire.isVmSaved) return refuse("the guest is not saved");
  world.wire.isVmSaved = false;
  world.callbacks.recause("client", event);
  for (const each of world.parked) world.waiters.wakeCall(each.event);
  sendPostponed(world);
  for (const client of world.all("channel")) {
    const { data, state } = client;
    if (data.isServer) continue;
    const isLost = (state === "open" || state === "opening") && !data.isClosing && peerOf(world, client) === undefined;
    if (!isLost) advance(world, client, event);
    else {
      data.isRescinded = true;
      world.waiters.wake("rescind", client.number);
      close(world, [client], { cause: event, status: STATUS.STATUS_DEVICE_REMOVED });
    }
  }
  return done();
}

/** Behaviours of a saved guest. */
export const SAVED_VM_BEHAVIOURS = { SaveVm: saveVm, RestoreVm: restoreVm } as const satisfies Readonly<
  Record<string, Behaviour>
>;
