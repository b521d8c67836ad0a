// Runs a guest's program on a fresh engine and keeps what happened, with short names for the events that tests are about.

import type { ModelOptions } from "../../src/api/mod.ts";
import type { ProgramContext } from "../../src/driver/mod.ts";
import { type GuestOptions, type OpenGuestAdapter, openGuestAdapter } from "../../src/gpupv/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";
import { runEvents } from "../driver/run.ts";
import { assertEquals } from "../support/assert.ts";

/** A guest that has a device and a paging queue. */
export interface Desk {
  readonly context: ProgramContext;
  readonly dxg: OpenGuestAdapter;
  readonly hDevice: number;
  readonly hPagingQueue: number;
}

/** How to run; what is left out has its default. */
export interface DeskOptions {
  readonly guest?: GuestOptions;
  readonly model?: Partial<ModelOptions>;
  readonly seed?: number;
  /** Actors that may be left waiting. */
  readonly stuck?: readonly string[];
}

/** Runs a body with a device; what happened while it ran, and in all. */
export async function atDesk(
  body: (desk: Desk) => Promise<void>,
  { guest = {}, model = {}, seed = 1, stuck = [] }: DeskOptions = {},
): Promise<readonly TraceEvent[]> {
  const run = await runEvents(async (context) => {
    const dxg = await openGuestAdapter(context, guest);
    const { hDevice } = await dxg.createDevice();
    const { hPagingQueue } = await dxg.createPagingQueue({ hDevice });
    await body({ context, dxg, hDevice, hPagingQueue });
  }, { model, seed });
  if (run.hasThrown) throw run.thrown;
  assertEquals(run.stuck, stuck);
  return run.events;
}

/** An allocation over fresh memory of the guest. */
export async function share(
  { context, dxg, hDevice }: Desk,
  byteCount = 8192,
): Promise<
  { readonly buffer: number; readonly hAllocation: number; readonly status: number; readonly result: number }
> {
  const { value: buffer } = await context.guest.AllocateBuffer({ ByteCount: byteCount });
  const { status, result, pAllocationInfo2 } = await dxg.createAllocation({
    hDevice,
    pAllocationInfo2: [{ pSystemMem: buffer, Size: byteCount }],
  });
  return { buffer, hAllocation: pAllocationInfo2[0]?.hAllocation ?? 0, status, result };
}

/** Calls that returned, in order, as `side Call`: those that a pattern finds, from the first that `from` finds on. */
export function calls(events: readonly TraceEvent[], pattern: RegExp, from = 0): string[] {
  return events.slice(from).flatMap(({ kind, side, plan }) => {
    const text = `${side} ${plan?.name ?? ""}`;
    return (kind === "call" || kind === "leave") && pattern.test(text) ? [text] : [];
  });
}
