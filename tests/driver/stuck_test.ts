// Threads that never go on: who waits for what is told, and what was only late goes on.

import { on, type ProgramContext } from "../../src/driver/mod.ts";
import { assertEquals } from "../support/assert.ts";
import { open } from "./open.ts";
import { line, runEvents } from "./run.ts";

Deno.test("a deadlock ends, and says who waits for what", async () => {
  const { stuck, hasThrown, events } = await runEvents(async (context) => {
    const { Channel, serverChannel } = await openAndWait(context);
    const { value: Buffer } = await context.guest.AllocateBuffer({ ByteCount: 4096 });
    const { GpadlHandle } = await context.client.VmbChannelCreateGpadlFromBuffer({ Channel, Buffer, ByteCount: 4096 });
    await context.server.VmbChannelMapGpadl({ Channel: serverChannel, GpadlHandle });
    await context.spawn("deleter", ({ client }) => client.VmbChannelDeleteGpadl({ Channel, GpadlHandle }));
  });
  assertEquals(stuck, ["main waits in the end of deleter", "deleter waits in client VmbChannelDeleteGpadl"]);
  assertEquals({ hasThrown, last: events.map(line).at(-1) }, {
    hasThrown: false,
    last: "enter client VmbChannelDeleteGpadl",
  });
});

async function openAndWait(context: ProgramContext): Promise<{ Channel: number; serverChannel: number }> {
  const opened = context.mailbox<true>();
  const ends = await open(context, { EvtChannelPostStarted: on(() => opened.send(true)) });
  await context.receive(opened);
  return ends;
}

Deno.test("a blocked call goes on when what it waits for happens", async () => {
  const { events, stuck } = await runEvents(async (context) => {
    const { Channel, serverChannel } = await openAndWait(context);
    const { value: Buffer } = await context.guest.AllocateBuffer({ ByteCount: 4096 });
    const { GpadlHandle } = await context.client.VmbChannelCreateGpadlFromBuffer({ Channel, Buffer, ByteCount: 4096 });
    await context.server.VmbChannelMapGpadl({ Channel: serverChannel, GpadlHandle });
    const deleted = context.client.VmbChannelDeleteGpadl({ Channel, GpadlHandle });
    await context.spawn("unmapper", async ({ server, machine }) => {
      await machine.AdvanceTime({ Nanoseconds: 1 });
      await server.VmbChannelUnmapGpadl({ Channel: serverChannel, GpadlHandle });
    });
    await deleted;
  });
  assertEquals(stuck, []);
  assertEquals(
    events.filter(({ plan }) => plan?.name === "VmbChannelDeleteGpadl").map(({ kind }) => kind).at(-1),
    "leave",
  );
});

Deno.test("stuck names each wait, also two of the same call", async () => {
  const { stuck } = await runEvents((context) => {
    const never = context.mailbox<true>();
    context.receive(never);
    context.receive(never);
  });
  assertEquals(stuck, ["main waits in a mailbox and a mailbox"]);
});

Deno.test("stuck tells who waits longest first", async () => {
  const { stuck } = await runEvents(async ({ spawn, machine, mailbox, receive }) => {
    const never = mailbox<true>();
    for (const name of ["one", "two"]) {
      spawn(name, async (thread) => {
        await machine.AdvanceTime({ Nanoseconds: 1 });
        await thread.receive(never);
      });
    }
    await machine.AdvanceTime({ Nanoseconds: 1 });
    spawn("over", ({ machine }) => machine.AdvanceTime({ Nanoseconds: 1 }));
    for (let step = 0; step < 20; step += 1) await machine.AdvanceTime({ Nanoseconds: 1 });
    receive(never);
  });
  assertEquals(stuck.toSorted(), ["main waits in a mailbox", "one waits in a mailbox", "two waits in a mailbox"]);
  assertEquals(stuck.at(-1), "main waits in a mailbox");
});
