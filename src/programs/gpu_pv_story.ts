// The story of a paravirtualised GPU, as a program: a host service (VSP) and a guest driver (VSC) open a channel; the guest
// shares buffers by GPADL, the host maps them and repeats the guest's GPU calls over the same pages; all is released.
// `gpu-pv` and `gpu-pv-leak` run it; it is also the longest example of how programs are written.

import {
  defineProgram,
  type Mailbox,
  on,
  type ProgramContext,
  type ProgramModule,
  type Thread,
} from "../driver/mod.ts";
import { ntSuccess } from "../api/mod.ts";

/** What the two programs differ in. */
export interface Story {
  readonly summary: string;
  /** Whether the guest tears a GPADL down when an allocation over guest memory ends. */
  readonly tearsDown: boolean;
  readonly options: Readonly<Record<string, string>>;
}

/** What the guest asks of the host in a packet: the handle of the GPADL, and its buffer. */
interface ShareRequest {
  readonly gpadl: number;
  readonly buffer: number;
  readonly byteCount: number;
}

/** Packets both ways, and who is ready. */
interface Wire {
  readonly toHost: Mailbox<ShareRequest | "goodbye">;
  readonly toGuest: Mailbox<"done" | "failed">;
  readonly opened: Mailbox<number>;
}

const INTERFACE_TYPE = "{dde9cbc0-5060-4436-9448-ea1254a5d177}";
const INTERFACE_INSTANCE = "{6c96f725-6e4b-415a-9879-7621e9ec0651}";
const BUFFERS = 24;
const PAGE = 4096;

/** A program that tells the story. */
export function gpuPvStory(story: Story): ProgramModule {
  return defineProgram(async (context) => {
    const wire: Wire = { toHost: context.mailbox(), toGuest: context.mailbox(), opened: context.mailbox() };
    const host = context.spawn("vsp", (thread) => serve(thread, wire));
    const guest = context.spawn("vsc", (thread) => useGpu(thread, { wire, story, random: context.random }));
    await Promise.all([host, guest]);
  }, { summary: story.summary, options: story.options });
}

/** The host: offers the channel, then serves the guest's requests until it says goodbye. */
async function serve(thread: Thread, wire: Wire): Promise<void> {
  const { server } = thread;
  const { Channel } = await server.VmbChannelAllocate({ IsServer: true });
  await server.VmbServerChannelInitSetTargetInterfaceId({
    Channel,
    InterfaceType: INTERFACE_TYPE,
    InterfaceInstance: INTERFACE_INSTANCE,
  });
  await server.VmbChannelInitSetFriendlyName({ Channel, Name: "gpu-pv" });
  await server.VmbChannelEnable({ Channel });
  await server.VmbChannelStart({ Channel });
  const gpu = await openGpu(thread);
  for (;;) {
    const request = await thread.receive(wire.toHost);
    if (request === "goodbye") break;
    wire.toGuest.send(await serveShare(thread, { Channel, gpu, request }) ? "done" : "failed");
  }
  await closeGpu(thread, gpu);
  await server.VmbChannelDisable({ Channel });
  await server.VmbChannelCleanup({ Channel });
}

interface Gpu {
  readonly hAdapter: number;
  readonly hDevice: number;
  readonly hPagingQueue: number;
  readonly hContext: number;
}

async function openGpu({ umd }: Thread): Promise<Gpu> {
  const { hAdapter } = await umd.D3DKMTOpenAdapterFromLuid({ AdapterLuid: 1n });
  const { hDevice } = await umd.D3DKMTCreateDevice({ hAdapter });
  const { hPagingQueue } = await umd.D3DKMTCreatePagingQueue({ hDevice });
  const { hContext } = await umd.D3DKMTCreateContextVirtual({ hDevice });
  return { hAdapter, hDevice, hPagingQueue, hContext };
}

async function closeGpu({ umd }: Thread, { hAdapter, hDevice, hPagingQueue, hContext }: Gpu): Promise<void> {
  await umd.D3DKMTDestroyContext({ hContext });
  await umd.D3DKMTDestroyPagingQueue({ hPagingQueue });
  await umd.D3DKMTDestroyDevice({ hDevice });
  await umd.D3DKMTCloseAdapter({ hAdapter });
}

/** Maps the guest's buffer, lets the GPU work on it, and gives everything back. */
async function serveShare(
  thread: Thread,
  { Channel, gpu, request }: { readonly Channel: number; readonly gpu: Gpu; readonly request: ShareRequest },
): Promise<boolean> {
  const { server, host } = thread;
  const mapped = await server.VmbChannelMapGpadl({ Channel, GpadlHandle: request.gpadl });
  if (!ntSuccess(mapped.status)) return false;
  await host.WriteMdl({ Mdl: mapped.Mdl, Offset: 0, Data: new TextEncoder().encode("host was here") });
  await drawInto(thread, { gpu, request });
  await server.VmbChannelUnmapGpadl({ Channel, GpadlHandle: request.gpadl });
  return true;
}

/** An allocation over the guest's pages, mapped where the GPU can write it. */
async function drawInto(
  { umd, gpu: processor }: Thread,
  { gpu, request }: { readonly gpu: Gpu; readonly request: ShareRequest },
): Promise<void> {
  const { hDevice, hAdapter, hPagingQueue, hContext } = gpu;
  const created = await umd.D3DKMTCreateAllocation2({ hDevice, pAllocationInfo2: [{ pSystemMem: request.buffer }] });
  const hAllocation = created.pAllocationInfo2[0]?.hAllocation ?? 0;
  const { VirtualAddress, PagingFenceValue } = await umd.D3DKMTMapGpuVirtualAddress({
    hPagingQueue,
    hAllocation,
    SizeInPages: request.byteCount / PAGE,
    Protection: 1,
  });
  await processor.CompletePaging({ hPagingQueue, FenceValue: PagingFenceValue });
  await processor.GpuAccess({ hContext, VirtualAddress, ByteCount: 64, Access: 1 });
  await processor.GpuAccess({ hContext, VirtualAddress, ByteCount: PAGE, Access: 0 });
  await umd.D3DKMTFreeGpuVirtualAddress({ hAdapter, BaseAddress: VirtualAddress, Size: request.byteCount });
  await umd.D3DKMTDestroyAllocation2({ hDevice, phAllocationList: [hAllocation] });
}

/** The guest: opens the channel, shares buffers one after the other, says goodbye. */
async function useGpu(
  thread: Thread,
  { wire, story, random }: { readonly wire: Wire; readonly story: Story; readonly random: ProgramContext["random"] },
): Promise<void> {
  const { client } = thread;
  const { Channel } = await client.VmbChannelAllocate({ IsServer: false });
  await client.VmbClientChannelInitSetTargetPnp({ Channel, InterfaceType: INTERFACE_TYPE });
  await client.VmbClientChannelInitSetRingBufferPageCount({ Channel, IncomingPageCount: 64, OutgoingPageCount: 64 });
  await client.VmbChannelInitSetStateChangeCallbacks({
    Channel,
    StateChangeCallbacks: {
      Version: 1,
      Size: 48,
      EvtChannelPostStarted: on(({ Channel }) => wire.opened.send(Channel)),
    },
  });
  await client.VmbChannelEnable({ Channel });
  await thread.receive(wire.opened);
  for (let index = 0; index < BUFFERS; index += 1) {
    const byteCount = (1 + random.below(16)) * PAGE;
    await drawFrame(thread, { Channel, wire, story, byteCount });
  }
  wire.toHost.send("goodbye");
  await client.VmbChannelDisable({ Channel });
  await client.VmbChannelCleanup({ Channel });
}

interface Frame {
  readonly Channel: number;
  readonly wire: Wire;
  readonly story: Story;
  readonly byteCount: number;
}

/** One allocation's life as the guest sees it: share a buffer, let the host draw, read the picture, release. */
async function drawFrame(thread: Thread, { Channel, wire, story, byteCount }: Frame): Promise<void> {
  const { guest, machine } = thread;
  await machine.AdvanceTime({ Nanoseconds: 16_666_667 });
  const { value: Buffer } = await guest.AllocateBuffer({ ByteCount: byteCount });
  const GpadlHandle = await shareBuffer(thread, { Channel, Buffer, byteCount });
  if (GpadlHandle === 0) return void await guest.FreeBuffer({ Buffer });
  wire.toHost.send({ gpadl: GpadlHandle, buffer: Buffer, byteCount });
  await thread.receive(wire.toGuest);
  await guest.ReadBuffer({ Buffer, Offset: 0, ByteCount: 64 });
  if (story.tearsDown) await releaseBuffer(thread, { Channel, GpadlHandle, Buffer });
}

/** Shows a buffer to the host; 0: the host grants no more GPADLs. */
async function shareBuffer(
  { client }: Thread,
  { Channel, Buffer, byteCount }: { readonly Channel: number; readonly Buffer: number; readonly byteCount: number },
): Promise<number> {
  const { status, GpadlHandle } = await client.VmbChannelCreateGpadlFromBuffer({
    Channel,
    Buffer,
    ByteCount: byteCount,
  });
  return ntSuccess(status) ? GpadlHandle : 0;
}

/** Tears the GPADL down and gives the pages back: what the leaking driver had compiled out. */
async function releaseBuffer(
  { client, guest }: Thread,
  { Channel, GpadlHandle, Buffer }: { readonly Channel: number; readonly GpadlHandle: number; readonly Buffer: number },
): Promise<void> {
  await client.VmbChannelDeleteGpadl({ Channel, GpadlHandle });
  await guest.FreeBuffer({ Buffer });
}
