// A program of threads that interleave: channels open and close, GPADLs are shared, callbacks make calls, deletes wait for
// unmaps, and a third thread only lets time pass. Another seed is another order. For tests of recording and replay.

import {
  defineProgram,
  type Mailbox,
  on,
  type ProgramContext,
  type ProgramModule,
  type Thread,
} from "../../src/driver/mod.ts";

const INTERFACE_TYPE = "{11111111-0000-0000-0000-000000000001}";
const INTERFACE_INSTANCE = "{22222222-0000-0000-0000-000000000001}";

/** What the two ends of a round tell each other. */
interface Round {
  readonly opened: Mailbox<number>;
  readonly shared: Mailbox<number>;
  readonly mapped: Mailbox<true>;
  gpadl: number;
}

/** A program of so many rounds. */
export function churn(rounds: number): ProgramModule {
  return defineProgram(async (context) => {
    for (let index = 0; index < rounds; index += 1) await runRound(context, index);
  });
}

async function runRound(context: ProgramContext, index: number): Promise<void> {
  const round = { opened: context.mailbox<number>(), shared: context.mailbox<number>(), gpadl: 0 };
  const both: Round = Object.assign(round, { mapped: context.mailbox<true>() });
  const server = context.spawn(`server ${index}`, (thread) => serve(thread, both, index));
  const client = context.spawn(`client ${index}`, (thread) => use(thread, both));
  const noise = context.spawn(`noise ${index}`, async ({ machine }) => {
    for (let step = 0; step < 12; step += 1) await machine.AdvanceTime({ Nanoseconds: 1 });
  });
  const [Channel] = await Promise.all([server, client, noise]);
  await context.server.VmbChannelDisable({ Channel });
  await context.server.VmbChannelCleanup({ Channel });
}

async function serve({ server, host, receive }: Thread, round: Round, index: number): Promise<number> {
  const { Channel } = await server.VmbChannelAllocate({ IsServer: true });
  await server.VmbServerChannelInitSetTargetInterfaceId({
    Channel,
    InterfaceType: INTERFACE_TYPE,
    InterfaceInstance: INTERFACE_INSTANCE,
  });
  await server.VmbChannelInitSetStateChangeCallbacks({
    Channel,
    StateChangeCallbacks: {
      Version: 1,
      Size: 48,
      EvtChannelOpened: on(async () => void await host.AllocateBuffer({ ByteCount: 10 })),
      EvtChannelSuspend: on(async ({ Channel }, { server, machine }) => {
        await machine.AdvanceTime({ Nanoseconds: 5 });
        await server.VmbChannelUnmapGpadl({ Channel, GpadlHandle: round.gpadl });
        await machine.AdvanceTime({ Nanoseconds: 5 });
      }),
      EvtChannelClosed: on(async (_, { machine }) => void await machine.AdvanceTime({ Nanoseconds: 7 })),
    },
  });
  await server.VmbChannelEnable({ Channel });
  await server.VmbChannelStart({ Channel });
  const { Mdl } = await server.VmbChannelMapGpadl({ Channel, GpadlHandle: await receive(round.shared) });
  await host.WriteMdl({ Mdl, Data: new Uint8Array(5000).fill(index + 1) });
  round.mapped.send(true);
  return Channel;
}

async function use({ client, guest, receive }: Thread, round: Round): Promise<void> {
  const { Channel } = await client.VmbChannelAllocate({ IsServer: false });
  await client.VmbClientChannelInitSetTargetPnp({ Channel, InterfaceType: INTERFACE_TYPE });
  await client.VmbChannelInitSetStateChangeCallbacks({
    Channel,
    StateChangeCallbacks: {
      Version: 1,
      Size: 48,
      EvtChannelPostStarted: on(() => round.opened.send(1)),
      EvtChannelSuspend: on(async (_, { machine }) => void await machine.AdvanceTime({ Nanoseconds: 3 })),
      EvtChannelClosed: on(async ({ Channel }, { client, guest }) => {
        await client.VmbChannelDeleteGpadl({ Channel, GpadlHandle: round.gpadl });
        await guest.AllocateBuffer({ ByteCount: 3 });
      }),
    },
  });
  await client.VmbChannelEnable({ Channel });
  await receive(round.opened);
  const { value: Buffer } = await guest.AllocateBuffer({ ByteCount: 8192 });
  const { GpadlHandle } = await client.VmbChannelCreateGpadlFromBuffer({ Channel, Buffer, ByteCount: 8192 });
  round.gpadl = GpadlHandle;
  round.shared.send(GpadlHandle);
  await receive(round.mapped);
  await client.VmbChannelDisable({ Channel });
  await client.VmbChannelCleanup({ Channel });
  await guest.FreeBuffer({ Buffer });
}
