// The story of a paravirtualised GPU, as a program: a guest's program draws into memory of its own. Each of its calls is an
// ioctl of the guest's graphics kernel, which asks the host over VMBus and shows it the memory by GPADL; the host repeats the
// call over the same pages. `gpu-pv` and `gpu-pv-leak` run it; it is also the longest example of how programs are written.

import { ntSuccess } from "../api/mod.ts";
import { defineProgram, type ProgramContext, type ProgramModule } from "../driver/mod.ts";
import { type OpenGuestAdapter, openGuestAdapter } from "../gpupv/mod.ts";

/** What the two programs differ in. */
export interface Story {
  readonly summary: string;
  /** Whether the guest tears a GPADL down when an allocation over guest memory ends. */
  readonly tearsDown: boolean;
  readonly options: Readonly<Record<string, string>>;
}

/** What the program draws with. */
interface Drawing {
  readonly dxg: OpenGuestAdapter;
  readonly hDevice: number;
  readonly hPagingQueue: number;
  readonly hContext: number;
}

const FRAMES = 24;
const FRAME_NANOSECONDS = 16_666_667;
const PAGE = 4096;
const WRITE = 1;
const READ = 0;

/** A program that tells the story. */
export function gpuPvStory({ summary, tearsDown, options }: Story): ProgramModule {
  return defineProgram(async (context) => {
    const dxg = await openGuestAdapter(context, { tearsDown });
    const { hDevice } = await dxg.createDevice();
    const { hPagingQueue } = await dxg.createPagingQueue({ hDevice });
    const { hContext } = await dxg.createContext({ hDevice });
    for (let frame = 0; frame < FRAMES; frame += 1) {
      const byteCount = (1 + context.random.below(16)) * PAGE;
      await drawFrame(context, { drawing: { dxg, hDevice, hPagingQueue, hContext }, byteCount, tearsDown });
    }
    await dxg.destroyContext({ hContext });
    await dxg.destroyPagingQueue({ hPagingQueue });
    await dxg.destroyDevice({ hDevice });
    await dxg.close();
  }, { summary, options: { wire: "on", ...options } });
}

interface Frame {
  readonly drawing: Drawing;
  readonly byteCount: number;
  readonly tearsDown: boolean;
}

/** One picture: memory that the GPU draws into and the program reads. What the host still sees is not given back. */
async function drawFrame(context: ProgramContext, { drawing, byteCount, tearsDown }: Frame): Promise<void> {
  const { guest, machine } = context;
  await machine.AdvanceTime({ Nanoseconds: FRAME_NANOSECONDS });
  const { value: buffer } = await guest.AllocateBuffer({ ByteCount: byteCount });
  const { dxg, hDevice } = drawing;
  const made = await dxg.createAllocation({ hDevice, pAllocationInfo2: [{ pSystemMem: buffer, Size: byteCount }] });
  const hAllocation = made.pAllocationInfo2[0]?.hAllocation ?? 0;
  if (!ntSuccess(made.status)) return void await guest.FreeBuffer({ Buffer: buffer });
  await drawInto(context, { drawing, hAllocation, byteCount });
  await guest.ReadBuffer({ Buffer: buffer, Offset: 0, ByteCount: 64 });
  await dxg.destroyAllocation({ hDevice, phAllocationList: [hAllocation] });
  if (tearsDown) await guest.FreeBuffer({ Buffer: buffer });
}

/** The GPU writes through an address that stands for the allocation, and reads it all back. */
async function drawInto(
  { gpu }: ProgramContext,
  { drawing, hAllocation, byteCount }: {
    readonly drawing: Drawing;
    readonly hAllocation: number;
    readonly byteCount: number;
  },
): Promise<void> {
  const { dxg, hPagingQueue, hContext } = drawing;
  const { VirtualAddress, PagingFenceValue } = await dxg.mapGpuVirtualAddress({
    hPagingQueue,
    hAllocation,
    SizeInPages: byteCount / PAGE,
    Protection: WRITE,
  });
  await gpu.CompletePaging({ hPagingQueue, FenceValue: PagingFenceValue });
  await gpu.GpuAccess({ hContext, VirtualAddress, ByteCount: 64, Access: WRITE });
  await gpu.GpuAccess({ hContext, VirtualAddress, ByteCount: PAGE, Access: READ });
  await dxg.freeGpuVirtualAddress({ BaseAddress: VirtualAddress, Size: byteCount });
}
