// Opens and closes what a program needs before it can map GPU virtual addresses, and runs the GPU as threads of their own,
// for the programs that are about what happens in between.

import { SYMBOLS } from "../api/mod.ts";
import type { Mailbox, ProgramContext, Thread } from "../driver/mod.ts";

const MONITORED_FENCE = 5;
const { EXECUTION } = SYMBOLS.deviceStateType;
const { ACTIVE } = SYMBOLS.executionState;

/** An adapter, a device on it, and the queue that its paging work goes through. */
export interface OpenDevice extends PagingQueue {
  readonly hAdapter: number;
}

/** A paging queue, and the fence that says how far it is. */
export interface PagingQueue {
  readonly hDevice: number;
  readonly hPagingQueue: number;
  readonly hPagingFence: number;
}

/** What a driver has handed to the GPU: a queue's paging work up to a fence value, or a context's submissions, counted from 1. */
type Job =
  | { readonly hPagingQueue: number; readonly FenceValue: bigint }
  | { readonly hContext: number; readonly FenceValue: bigint };

/** A GPU that does its jobs in the order in which it was told of them, some time later; null: there are no more. */
export interface RunningGpu {
  readonly jobs: Mailbox<Job | null>;
  readonly ended: Promise<void>;
}

/** Opens the first adapter, and makes a device and a paging queue. */
export async function openDevice({ umd }: Thread): Promise<OpenDevice> {
  const { hAdapter } = await umd.D3DKMTOpenAdapterFromLuid({ AdapterLuid: 1 });
  const { hDevice } = await umd.D3DKMTCreateDevice({ hAdapter });
  const { hPagingQueue, hSyncObject } = await umd.D3DKMTCreatePagingQueue({ hDevice });
  return { hAdapter, hDevice, hPagingQueue, hPagingFence: hSyncObject };
}

/** Closes what `openDevice` opened, the adapter last. A device is asked first whether it still works: a fault says nothing itself. */
export async function closeDevice({ umd }: Thread, { hAdapter, hDevice, hPagingQueue }: OpenDevice): Promise<void> {
  const { ExecutionState } = await umd.D3DKMTGetDeviceState({ hDevice, StateType: EXECUTION });
  if (ExecutionState !== ACTIVE) throw new Error(`Cannot go on with the device: it is in state ${ExecutionState}`);
  // The queue takes its fence along.
  await umd.D3DKMTDestroyPagingQueue({ hPagingQueue });
  await umd.D3DKMTDestroyDevice({ hDevice });
  await umd.D3DKMTCloseAdapter({ hAdapter });
}

/** Starts a GPU. */
export function startGpu(context: ProgramContext, name = "gpu"): RunningGpu {
  const jobs = context.mailbox<Job | null>();
  const ended = context.spawn(name, async (thread) => {
    for (let job = await thread.receive(jobs); job !== null; job = await thread.receive(jobs)) {
      if ("hContext" in job) await thread.gpu.CompleteGpuWork(job);
      else await thread.gpu.CompletePaging(job);
    }
  });
  return { jobs, ended };
}

/** Ends a GPU, when it has done what it was told. */
export async function stopGpu({ jobs, ended }: RunningGpu): Promise<void> {
  jobs.send(null);
  await ended;
}

/** Waits until paging work is done: STATUS_PENDING is success that is not finished. A fence value of 0 is done already. */
export async function waitForPaging(
  { umd }: Thread,
  { gpu, queue: { hDevice, hPagingQueue, hPagingFence }, fence }: {
    readonly gpu: RunningGpu;
    readonly queue: PagingQueue;
    readonly fence: bigint;
  },
): Promise<void> {
  if (fence === 0n) return;
  gpu.jobs.send({ hPagingQueue, FenceValue: fence });
  await umd.D3DKMTWaitForSynchronizationObjectFromCpu({
    hDevice,
    ObjectHandleArray: [hPagingFence],
    FenceValueArray: [fence],
  });
}

/** Makes a monitored fence, which is at 0. */
export async function createFence({ umd }: Thread, hDevice: number): Promise<number> {
  return (await umd.D3DKMTCreateSynchronizationObject2({ hDevice, Type: MONITORED_FENCE })).hSyncObject;
}
