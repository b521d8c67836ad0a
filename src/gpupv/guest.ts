// A guest with a virtual GPU, opened and closed as a whole: channels, the guest's graphics kernel, its host, one process.
// Programs begin here.

import { Mailbox, on, type ProgramContext } from "../driver/mod.ts";
import { type ChannelEnds, type ChannelPlan, closeEnds, GLOBAL_CHANNEL, openEnds, VGPU_CHANNEL } from "./channels.ts";
import { tearDownAll } from "./guest_allocation_end.ts";
import { askDxg, GuestAdapter } from "./guest_adapter.ts";
import { runIoctl } from "./guest_kernel.ts";
import { endDevice, flushDevices } from "./guest_objects.ts";
import { GuestHandles } from "./guest_state.ts";
import { GuestTransport } from "./guest_transport.ts";
import { closeHost, newHost, packetHandler, suspendHost } from "./host.ts";
import type { HostState } from "./host_state.ts";
import type { GuestProcess } from "./ioctl.ts";
import { u32 } from "./record.ts";

/** What a guest and its host agreed on; each has a default. */
export interface GuestOptions {
  /** The interface's version, 27 to 46 known; from 40 on messages have the extended header. Default: 46. */
  readonly interfaceVersion?: number;
  /** Which GPU. Default: 1. */
  readonly luid?: bigint;
  /** Whether the host takes messages without a reply; then all go over the global channel. Default: no. */
  readonly isAsyncEnabled?: boolean;
  /** Whether the host maps guest memory by page numbers (message 66), not by GPADL (message 45). Default: no. */
  readonly mapsGuestPages?: boolean;
  /** Whether the guest tears GPADLs down. Default: yes; a real driver once did not (gpuva.md 5.7, G1). */
  readonly tearsDown?: boolean;
}

const NEWEST_INTERFACE = 46;
/** The window into the host's memory: 1000 MB (gpuva.md 5.1). */
const IO_SPACE = { start: 0xf_0000_0000n, length: 1000n << 20n };
const LINUX_PROCESS = 8;
const NAME_LENGTH = 261;

/** A guest's adapter, with the guest that was opened around it. */
export class OpenGuestAdapter extends GuestAdapter {
  /** The channel of the whole machine, and that of the virtual GPU. */
  readonly channels: { readonly global: ChannelEnds; readonly vgpu: ChannelEnds };
  /** What the guest's graphics kernel keeps for the process. */
  readonly process: GuestProcess;
  /** What the host keeps for the guest. */
  readonly host: HostState;
  readonly #context: ProgramContext;
  readonly #kernel: Kernel;
  #hasExited = false;

  constructor(context: ProgramContext, { hAdapter, kernel }: { readonly hAdapter: number; readonly kernel: Kernel }) {
    super(context, hAdapter);
    this.channels = kernel.channels;
    this.process = kernel.process;
    this.host = kernel.host;
    this.#context = context;
    this.#kernel = kernel;
  }

  /** Begins another process of the guest, once this one has exited, and opens its adapter. */
  async nextProcess(): Promise<OpenGuestAdapter> {
    if (!this.#hasExited) throw new RangeError("Cannot begin a process: the one before it has not exited");
    const process = newProcess(this.#kernel, this.channels);
    this.#kernel.served.process = process;
    await registerFor(this.#context, process);
    await beginProcess(this.#context, process);
    return await openAdapter(this.#context, { ...this.#kernel, process });
  }

  /** The process dies with what it still has: the guest's kernel gives that back in the documented order. */
  async exitProcess(): Promise<void> {
    if (this.#hasExited) return;
    this.#hasExited = true;
    await exitProcess(this.#context, this.process);
  }

  /** Closes the adapter, ends the process, and closes both channels. */
  async close(): Promise<void> {
    if (!this.#hasExited) await this.closeAdapter();
    await this.exitProcess();
    await closeEnds(this.#context, this.channels.vgpu);
    await closeEnds(this.#context, this.channels.global);
  }
}

/** What a guest and its host agreed on, nothing left out. */
type Agreed = Required<GuestOptions>;

/** A guest that runs: its graphics kernel, with the process that it serves, and its host. */
interface Kernel {
  readonly agreed: Agreed;
  readonly channels: OpenGuestAdapter["channels"];
  readonly host: HostState;
  readonly process: GuestProcess;
  /** Client ends that were taken down. */
  readonly down: Set<number>;
  /** The process that is served now, null: none yet. */
  readonly served: { process: GuestProcess | null };
}

/** Opens both channels, starts the guest's graphics kernel, begins a process and opens its adapter. */
export async function openGuestAdapter(context: ProgramContext, options: GuestOptions = {}): Promise<OpenGuestAdapter> {
  const agreed: Agreed = {
    interfaceVersion: NEWEST_INTERFACE,
    luid: 1n,
    isAsyncEnabled: false,
    mapsGuestPages: false,
    tearsDown: true,
    ...options,
  };
  const [host, down, served] = [newHost(), new Set<number>(), newServed()];
  const base = { agreed, host, down, served };
  const global = await openEnds(context, { ...GLOBAL_CHANNEL, ...handlersOf(context, base, "global") });
  host.channels = { global: global.server, vgpu: 0 };
  const process = newProcess(base, { global });
  served.process = process;
  await registerFor(context, process);
  await process.transport.command(context, "SetIoSpaceRegion", { ...IO_SPACE, shared_page_gpadl: 0 });
  await beginProcess(context, process);
  const vgpu = await openEnds(context, { ...VGPU_CHANNEL, ...handlersOf(context, base, "vgpu") });
  host.channels = { global: global.server, vgpu: vgpu.server };
  process.transport.channels = { global: global.client, vgpu: vgpu.client };
  return await openAdapter(context, { ...base, channels: { global, vgpu }, process });
}

function newServed(): Kernel["served"] {
  return { process: null };
}

type Base = Pick<Kernel, "agreed" | "host" | "down" | "served">;

/** What either end of a channel does when it goes down, and the host with packets. */
function handlersOf(
  context: ProgramContext,
  { agreed, host, down, served }: Base,
  which: "global" | "vgpu",
): Omit<ChannelPlan, "name" | "interfaceType"> {
  return {
    onPacket: packetHandler(context, { state: host, framing: agreed }),
    onGuestSuspend: async (inside) => {
      const { process } = served;
      if (process === null) return;
      down.add(process.transport.channels[which]);
      for (const adapter of process.handles.adapters) adapter.isActive = false;
      if (which === "global" && agreed.tearsDown) await tearDownAll({ thread: inside, process });
    },
    onHostSuspend: (inside, channel) => suspendHost(inside, host, channel),
    onHostClosed: (inside) => closeHost(inside, host, { isGlobal: which === "global" }),
  };
}

function newProcess(
  { agreed, down }: Pick<Kernel, "agreed" | "down">,
  { global, vgpu }: { readonly global: ChannelEnds; readonly vgpu?: ChannelEnds },
): GuestProcess {
  const transport = new GuestTransport({ framing: agreed, isAsyncEnabled: agreed.isAsyncEnabled, down });
  transport.channels = { global: global.client, vgpu: vgpu?.client ?? 0 };
  return {
    handles: new GuestHandles(),
    transport,
    gpadls: new Set(),
    sharing: { count: 0, done: new Mailbox() },
    mapsGuestPages: agreed.mapsGuestPages,
    tearsDown: agreed.tearsDown,
  };
}

/** From now on the guest's graphics kernel serves this process. */
async function registerFor({ kmd }: ProgramContext, process: GuestProcess): Promise<void> {
  await kmd.DxgRegister({
    EvtDxgIoctl: on<"EvtDxgIoctl">(async ({ Command, Argument }, inside) => {
      const ended = await runIoctl(inside, process, { command: Command, argument: Argument });
      return { status: 0, ...ended };
    }),
  });
}

/** Tells the host of the process, over the global channel. */
async function beginProcess(context: ProgramContext, { transport }: GuestProcess): Promise<void> {
  const name = Array.from({ length: NAME_LENGTH }, (_, index) => "program".charCodeAt(index) || 0);
  const fields = { process_pointer: 0, process_id: 1, process_name: name, flags: LINUX_PROCESS };
  const reply = await transport.ask(context, "CreateProcess", { fields });
  transport.process = typeof reply === "number" ? 0 : u32(reply, "process");
}

async function openAdapter(context: ProgramContext, kernel: Kernel): Promise<OpenGuestAdapter> {
  const { out } = await askDxg(context, "OpenAdapterFromLuid", { fields: { AdapterLuid: kernel.agreed.luid } });
  return new OpenGuestAdapter(context, { hAdapter: u32(out, "hAdapter"), kernel });
}

/** Each device finishes first, then they end one by one, the adapters, and the host's process. */
async function exitProcess(thread: ProgramContext, process: GuestProcess): Promise<void> {
  await flushDevices({ thread, process });
  for (;;) {
    const adapter = process.handles.anyAdapter;
    if (adapter === undefined) break;
    for (const device of process.handles.devicesOf(adapter)) await endDevice({ thread, process }, device);
    process.handles.dropAdapter(adapter.handle);
    await process.transport.command(thread, "CloseAdapter", { adapter: adapter.hostHandle });
  }
  const result = await process.transport.command(thread, "DestroyProcess", {});
  // What could not be taken back before, as the channel of the GPU was gone: now the host has let go of it.
  if (process.tearsDown && result === 0) await tearDownAll({ thread, process });
}
