// Acts of drivers that do what they must not: GPADLs torn down before the host was told, unmapped behind the host's back,
// deleted twice, made and forgotten. What they touch is not compared any more; what the audit says of it is.

import type { Made } from "./gpu_pv_desk.ts";
import { type Doing, type Hand, PAGE } from "./gpu_pv_hand.ts";
import { choose } from "./gpu_pv_act.ts";

/** A GPADL of an allocation that lives; it counts as touched from now on. */
function gpadlOf({ act, table }: Hand): number {
  const shared = table.guest.process.handles.objects.flatMap((object) =>
    object.kind === "allocation" && object.gpadl !== 0 ? [{ place: object.gpadl, gpadl: object.gpadl }] : []
  );
  const { gpadl } = choose(act, shared) ?? { gpadl: 0 };
  if (gpadl !== 0) table.touched.add(gpadl);
  return gpadl;
}

/** The guest's driver tears a GPADL down while its allocation lives: that waits until the host unmaps. */
function tearDownEarly(hand: Hand): void {
  const GpadlHandle = gpadlOf(hand);
  if (GpadlHandle === 0) return;
  const { context, guest, beside } = hand.table;
  const Channel = guest.channels.global.client;
  beside.push(context.spawn(`rogue ${hand.act.place}`, async ({ client }) => {
    await client.VmbChannelDeleteGpadl({ Channel, GpadlHandle });
  }));
}

/** The host's driver unmaps a GPADL while its allocation lives; it will do so again when that ends. */
async function unmapEarly(hand: Hand): Promise<void> {
  const GpadlHandle = gpadlOf(hand);
  if (GpadlHandle === 0) return;
  await hand.thread.server.VmbChannelUnmapGpadl({ Channel: hand.table.guest.channels.global.server, GpadlHandle });
}

/** The host's driver maps a GPADL that is mapped, and lets go of it again where it could. */
async function mapTwice(hand: Hand): Promise<void> {
  const GpadlHandle = gpadlOf(hand);
  if (GpadlHandle === 0) return;
  const { server, machine } = hand.thread;
  const Channel = hand.table.guest.channels.global.server;
  const { status } = await server.VmbChannelMapGpadl({ Channel, GpadlHandle });
  await machine.AdvanceTime({ Nanoseconds: 1 });
  if (status === 0) await server.VmbChannelUnmapGpadl({ Channel, GpadlHandle });
}

/** The guest's driver makes a GPADL of a program's memory and forgets it, or deletes it, or deletes it twice. */
async function shareAside(hand: Hand): Promise<void> {
  const { thread: { client }, table, random, act, desk } = hand;
  const buffer: Made | undefined = desk.pick(act, "buffer");
  if (buffer === undefined) return;
  const Channel = table.guest.channels.global.client;
  const { status, GpadlHandle } = await client.VmbChannelCreateGpadlFromBuffer({
    Channel,
    Buffer: buffer.handle,
    ByteCount: buffer.pages * PAGE,
  });
  if (status !== 0) return;
  table.touched.add(GpadlHandle);
  for (let left = random.below(3); left > 0; left -= 1) await client.VmbChannelDeleteGpadl({ Channel, GpadlHandle });
}

/** A channel goes down under the path, once a run: rescinded by the host or closed in the guest. */
function takeDown(hand: Hand): void {
  const { table, random, act } = hand;
  const { channels } = table.guest;
  if (table.down.size > 0) return;
  const { server, client } = random.pick([channels.global, channels.vgpu]);
  table.down.add(client);
  const isRescinded = random.below(2) === 0;
  table.beside.push(table.context.spawn(`removal ${act.place}`, async (thread) => {
    if (isRescinded) await thread.server.VmbChannelDisable({ Channel: server });
    else await thread.client.VmbChannelDisable({ Channel: client });
  }));
}

/** Acts by form. */
export const ROGUE_ACTS: Readonly<Record<string, Doing>> = {
  tearDownEarly,
  unmapEarly,
  mapTwice,
  shareAside,
  takeDown,
};
