// A program that goes on for as long as it is told, in a world that does not grow, over things that it holds from the
// start to the end. For tests of rings and of recordings that keep a part.

import { defineProgram, on, type ProgramModule } from "../../src/driver/mod.ts";

const INTERFACE_TYPE = "{11111111-0000-0000-0000-000000000001}";
const INTERFACE_INSTANCE = "{22222222-0000-0000-0000-000000000001}";

/** What a turn makes: two calls, a write with its memory delta, and time that passes. */
export const EVENTS_OF_TURN = 5;

/**
 * A program of so many turns. A GPADL that it maps at the start is unmapped at the end, and one that it makes in the last
 * turn is never deleted.
 */
export function turning(turns: number): ProgramModule {
  return defineProgram(async ({ client, server, guest, machine, mailbox, receive }) => {
    const opened = mailbox<number>();
    const { Channel: Server } = await server.VmbChannelAllocate({ IsServer: true });
    await server.VmbServerChannelInitSetTargetInterfaceId({
      Channel: Server,
      InterfaceType: INTERFACE_TYPE,
      InterfaceInstance: INTERFACE_INSTANCE,
    });
    await server.VmbChannelEnable({ Channel: Server });
    const { Channel } = await client.VmbChannelAllocate({ IsServer: false });
    await client.VmbClientChannelInitSetTargetPnp({ Channel, InterfaceType: INTERFACE_TYPE });
    await client.VmbChannelInitSetStateChangeCallbacks({
      Channel,
      StateChangeCallbacks: { Version: 1, Size: 48, EvtChannelOpened: on(({ Channel }) => opened.send(Channel)) },
    });
    await client.VmbChannelEnable({ Channel });
    await receive(opened);
    const { value: Shared } = await guest.AllocateBuffer({ ByteCount: 4096 });
    const { GpadlHandle } = await client.VmbChannelCreateGpadlFromBuffer({ Channel, Buffer: Shared, ByteCount: 4096 });
    await server.VmbChannelMapGpadl({ Channel: Server, GpadlHandle });
    for (let turn = 0; turn < turns; turn += 1) {
      const { value: Buffer } = await guest.AllocateBuffer({ ByteCount: 4096 });
      await guest.WriteBuffer({ Buffer, Data: noise(turn) });
      await machine.AdvanceTime({ Nanoseconds: 1 + turn % 7 });
      await guest.FreeBuffer({ Buffer });
    }
    await server.VmbChannelUnmapGpadl({ Channel: Server, GpadlHandle });
    await client.VmbChannelDeleteGpadl({ Channel, GpadlHandle });
    await client.VmbChannelCreateGpadlFromBuffer({ Channel, Buffer: Shared, ByteCount: 4096 });
  });
}

/** Bytes that do not compress, so that few turns fill a ring. */
function noise(turn: number): Uint8Array {
  let state = turn + 1;
  return Uint8Array.from({ length: 256 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}
