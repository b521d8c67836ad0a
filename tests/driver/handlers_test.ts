// Handlers belong to objects: found by their callbacks as long as these live, forgotten afterwards, whatever ended them.

import { planOf, type Ref, type Value } from "../../src/api/mod.ts";
import { on, type ProgramContext } from "../../src/driver/mod.ts";
import { Handlers } from "../../src/driver/handlers.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { runEvents } from "./run.ts";

const SET_ROUTINE = planOf("VmbPacketSetCompletionRoutine");
const ROUTINE = "EvtVmbPacketCompletionRoutine";

function packet(number: number): Ref {
  return { kind: "packet", number, handle: 0x1000 + number };
}

function register(handlers: Handlers, ref: Ref): () => void {
  const CompletionRoutine = () => {};
  const ins: readonly Value[] = [ref, true];
  handlers.register(SET_ROUTINE, { PacketObject: ref.handle, CompletionRoutine }, ins);
  return CompletionRoutine;
}

Deno.test("Handlers forget objects that ended, and keep those that live", () => {
  const living = new Set<number>();
  const handlers = new Handlers(({ number }) => living.has(number));
  const kept = new Map([1, 2, 3].map((number) => [number, register(handlers, packet(number))]));
  for (const number of kept.keys()) living.add(number);
  for (let number = 4; number < 5000; number += 1) {
    living.add(number);
    const handler = register(handlers, packet(number));
    assertEquals(handlers.find(ROUTINE, [packet(number)]), handler);
    living.delete(number);
    assert(handlers.size <= 64, `${handlers.size} objects`);
  }
  for (const [number, handler] of kept) assertEquals(handlers.find(ROUTINE, [packet(number)]), handler);
});

Deno.test("Handlers keep as many as live, however many these are", () => {
  const handlers = new Handlers(() => true);
  const all = Array.from({ length: 1000 }, (_, number) => register(handlers, packet(number + 1)));
  assertEquals(handlers.size, 1000);
  assertEquals(all.map((_, number) => handlers.find(ROUTINE, [packet(number + 1)])), all);
});

Deno.test("a packet that is sent again and again calls the routine that was set once", async () => {
  let calls = 0;
  const { stuck, thrown } = await runEvents(async (context: ProgramContext) => {
    const { client, server } = context;
    const InterfaceType = "{11111111-0000-0000-0000-000000000001}";
    const { Channel: offered } = await server.VmbChannelAllocate({ IsServer: true });
    await server.VmbServerChannelInitSetTargetInterfaceId({ Channel: offered, InterfaceType });
    await server.VmbChannelEnable({ Channel: offered });
    await server.VmbChannelStart({ Channel: offered });
    const { Channel } = await client.VmbChannelAllocate({ IsServer: false });
    await client.VmbClientChannelInitSetTargetPnp({ Channel, InterfaceType });
    await client.VmbChannelEnable({ Channel });
    const { value: PacketObject } = await client.VmbPacketAllocate({ Channel });
    const placed = context.mailbox<number>();
    const CompletionRoutine = on<"EvtVmbPacketCompletionRoutine">(() => placed.send(calls += 1));
    await client.VmbPacketSetCompletionRoutine({ PacketObject, CompletionRoutine });
    for (let round = 0; round < 5; round += 1) {
      await client.VmbPacketSend({ PacketObject, Buffer: Uint8Array.of(round), BufferLength: 1 });
      await context.receive(placed);
    }
  });
  assertEquals([stuck, thrown, calls], [[], undefined, 5]);
});
