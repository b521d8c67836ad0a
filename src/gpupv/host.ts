// The host's side: packets come in on two channels, each is a message that is repeated in the process that stands for the
// guest's, and its reply is the packet's completion (gpuva.md 5.1, 5.4). It must not know the guest's side.

import { STATUS } from "../api/mod.ts";
import { on, type ProgramContext, type Thread } from "../driver/mod.ts";
import { type LayoutRecord, WireError } from "../wire/mod.ts";
import { HOST_ALLOCATIONS, letGo } from "./host_allocations.ts";
import { HOST_OBJECTS } from "./host_objects.ts";
import { HOST_SYNC } from "./host_sync.ts";
import type { HostProcess, HostState, LateAnswer } from "./host_state.ts";
import { decodeMessage, encodeReply, type Framing, type IncomingMessage } from "./messages.ts";

const HANDLERS = { ...HOST_OBJECTS, ...HOST_ALLOCATIONS, ...HOST_SYNC };
/** Completed when their call is over, while the channel's next packets come in: a signal may be among them. */
const LATE: ReadonlySet<string> = new Set(["WaitSyncFromCpu"]);
/** What a wait comes to whose fence ends, and what a message of no process comes to. */
const ENDED = { status: STATUS.STATUS_INVALID_PARAMETER };
const SUCCESS = { status: STATUS.STATUS_SUCCESS };
const NO_BYTES = new Uint8Array(0);
/** The first process of the host is its own. */
const FIRST_PROCESS = 2;
const PROCESS_HANDLE_STEP = 0x40;

/** A host that knows no guest process yet. */
export function newHost(): HostState {
  return { channels: { global: 0, vgpu: 0 }, processes: new Map(), late: new Set(), nextProcess: FIRST_PROCESS };
}

/** The handler of packets at a server's end, for either channel; what is late has a thread of its own. */
export function packetHandler(
  { spawn }: Pick<ProgramContext, "spawn">,
  { state, framing }: { readonly state: HostState; readonly framing: Framing },
): ReturnType<typeof on> {
  return on<"EvtVmbChannelProcessPacket">(async ({ Channel, Packet, Buffer }, inside) => {
    const message = decoded(Buffer, framing);
    if (message !== null && LATE.has(message.name)) {
      const late = lateAnswer(state, { message, channel: Channel, packet: Packet });
      void spawn(`host ${message.name}`, async (thread) => {
        const reply = await processReply(thread, { state, message });
        await late.complete(thread, reply ?? ENDED);
      });
    } else await completePacket(inside, Packet, await answer(inside, { state, message }));
  });
}

async function completePacket({ server }: Thread, packet: number, bytes: Uint8Array): Promise<void> {
  await server.VmbChannelPacketComplete({
    PacketCompletionContext: packet,
    PacketCompletionBuffer: bytes,
    BufSize: bytes.length,
  });
}

/** Whoever comes first completes it: the call that it waits for, or the end of the process, in which no call returns. */
function lateAnswer(
  state: HostState,
  { message, channel, packet }: {
    readonly message: IncomingMessage;
    readonly channel: number;
    readonly packet: number;
  },
): LateAnswer {
  const late: LateAnswer = {
    channel,
    process: message.process,
    async complete(thread, reply) {
      if (!state.late.delete(late)) return false;
      await completePacket(thread, packet, message.isAsync ? NO_BYTES : encodeReply(message.name, reply));
      return true;
    },
  };
  state.late.add(late);
  return late;
}

/** Null: no message that the host knows, or cut short. */
function decoded(bytes: Uint8Array, framing: Framing): IncomingMessage | null {
  try {
    return decodeMessage(bytes, framing);
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}

interface Incoming {
  readonly state: HostState;
  readonly message: IncomingMessage | null;
}

/** The reply; no bytes to what is no message, and to what wants none. */
async function answer(thread: Thread, { state, message }: Incoming): Promise<Uint8Array> {
  if (message === null) return NO_BYTES;
  const reply = await globalReply(thread, { state, message }) ?? await processReply(thread, { state, message });
  return reply === null || message.isAsync ? NO_BYTES : encodeReply(message.name, reply);
}

/** Messages of the whole virtual machine; null: it is another one. */
async function globalReply(
  thread: Thread,
  { state, message }: { readonly state: HostState; readonly message: IncomingMessage },
): Promise<LayoutRecord | null> {
  if (message.name === "SetIoSpaceRegion") return SUCCESS;
  if (message.name === "CreateProcess") return { process: beginProcess(state).handle };
  if (message.name !== "DestroyProcess") return null;
  const process = state.processes.get(message.process);
  if (process === undefined) return { status: STATUS.STATUS_INVALID_HANDLE };
  state.processes.delete(process.handle);
  await endProcess(thread, { state, process });
  return SUCCESS;
}

/** What a process has at the host ends, then the views of guest memory behind it; no call of it returns, so waits have answers. */
async function endProcess(
  thread: Thread,
  { state, process }: { readonly state: HostState; readonly process: HostProcess },
): Promise<void> {
  process.hasEnded = true;
  await thread.machine.ExitProcess({ Side: `umd#${process.number}` });
  process.adapters.clear();
  for (const late of [...state.late]) if (late.process === process.handle) await late.complete(thread, ENDED);
  for (const [handle, memory] of [...process.memory]) await letGo({ thread, state, process }, handle, memory);
}

/** A channel goes down: it waits for what was delivered, so what is late has its answer now. */
export async function suspendHost(thread: Thread, state: HostState, channel: number): Promise<void> {
  for (const late of [...state.late]) if (late.channel === channel) await late.complete(thread, ENDED);
}

/**
 * A channel is down. Without its virtual GPU a process has nothing, and may still be told to end; without the machine's channel
 * there are no processes either.
 */
export async function closeHost(
  thread: Thread,
  state: HostState,
  { isGlobal }: { readonly isGlobal: boolean },
): Promise<void> {
  for (const process of [...state.processes.values()]) {
    if (isGlobal) state.processes.delete(process.handle);
    await endProcess(thread, { state, process });
  }
}

function beginProcess(state: HostState): HostProcess {
  const number = state.nextProcess;
  state.nextProcess += 1;
  const process: HostProcess = {
    handle: number * PROCESS_HANDLE_STEP,
    number,
    adapters: new Set(),
    hasEnded: false,
    memory: new Map(),
  };
  state.processes.set(process.handle, process);
  return process;
}

/** Messages of one process; null: there is no such process, or no such message is repeated. */
async function processReply(
  thread: Thread,
  { state, message }: { readonly state: HostState; readonly message: IncomingMessage },
): Promise<LayoutRecord | null> {
  const process = state.processes.get(message.process);
  const handler = HANDLERS[message.name];
  if (process === undefined || handler === undefined) return null;
  const umd = thread.process(process.number);
  return await handler({ thread, state, process, umd, fields: message.fields });
}
