// Ioctls as bytes against the model's own path: what a guest's program asked /dev/dxg decodes to the calls that its host repeats.

import { isRef, type Value } from "../../src/api/mod.ts";
import { defineProgram, type ProgramContext } from "../../src/driver/mod.ts";
import { openGuestAdapter } from "../../src/gpupv/mod.ts";
import { DxgDecoder } from "../../src/import/mod.ts";
import { recordInMemory } from "../../src/record/mod.ts";
import { bytesSource, openTrace, type TraceEvent } from "../../src/trace/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";

/** Where the model's programs have the argument of an ioctl. */
const ARGUMENT = 0x7f00_0000_0000n;

async function everyCall(context: ProgramContext): Promise<void> {
  const dxg = await openGuestAdapter(context);
  const { hDevice } = await dxg.createDevice();
  const { hPagingQueue, hSyncObject } = await dxg.createPagingQueue({ hDevice, Priority: 1 });
  const { hContext } = await dxg.createContext({ hDevice, NodeOrdinal: 1 });
  const fence = await dxg.createSyncObject({ hDevice, Type: 5, InitialFenceValue: 2n ** 40n });
  const { pAllocationInfo2 } = await dxg.createAllocation({
    hDevice,
    pAllocationInfo2: [{ Size: 8192 }, { Size: 4096 }],
  });
  const handles = pAllocationInfo2.map(({ hAllocation }) => hAllocation ?? 0);
  const [hAllocation = 0] = handles;
  const map = { hPagingQueue, hAllocation, SizeInPages: 2, Protection: 1, DriverProtection: 3 };
  const { VirtualAddress, PagingFenceValue } = await dxg.mapGpuVirtualAddress(map);
  await context.gpu.CompletePaging({ hPagingQueue, FenceValue: PagingFenceValue });
  await dxg.waitFromCpu({
    hDevice,
    ObjectHandleArray: [hSyncObject],
    FenceValueArray: [PagingFenceValue],
    WaitAny: true,
  });
  await dxg.mapGpuVirtualAddress({ ...map, BaseAddress: 5 });
  const zero = await dxg.reserveGpuVirtualAddress({ hAdapter: dxg.hAdapter, Size: 0x10000, ReservationType: 1 });
  const at = zero.VirtualAddress;
  await dxg.updateGpuVirtualAddress({
    hDevice,
    hContext,
    hFenceObject: fence.hSyncObject,
    FenceValue: 1,
    Operations: [
      { OperationType: 0, BaseAddress: at, SizeInBytes: 4096, hAllocation },
      { OperationType: 2, SourceAddress: at, SizeInBytes: 4096, DestAddress: at + 4096n },
      { OperationType: 1, BaseAddress: at, SizeInBytes: 4096, Protection: 4 },
      { OperationType: 3, BaseAddress: at, SizeInBytes: 4096, hAllocation, Protection: 1, DriverProtection: 9 },
    ],
  });
  const resident = await dxg.makeResident({ hPagingQueue, AllocationList: handles });
  await context.gpu.CompletePaging({ hPagingQueue, FenceValue: resident.PagingFenceValue });
  await dxg.evict({ hDevice, AllocationList: handles });
  await dxg.lock({ hDevice, hAllocation });
  await dxg.unlock({ hDevice, hAllocation });
  const signal = { ObjectHandleArray: [fence.hSyncObject], FenceValueArray: [2n ** 41n] };
  await dxg.signalFromCpu({ hDevice, ...signal });
  await dxg.waitFromGpu({ hContext, ...signal });
  await dxg.signalFromGpu({ hContext, ...signal });
  await dxg.submitCommand({ BroadcastContext: [hContext], Commands: VirtualAddress, CommandLength: 64 });
  await dxg.deviceState({ hDevice, StateType: 1 });
  await dxg.freeGpuVirtualAddress({ BaseAddress: VirtualAddress, Size: 8192 });
  await dxg.destroySyncObject(fence);
  await dxg.destroyAllocation({ hDevice, phAllocationList: handles });
  await dxg.destroyContext({ hContext });
  await dxg.destroyPagingQueue({ hPagingQueue });
  await dxg.destroyDevice({ hDevice });
  await dxg.close();
}

/** An ioctl that returned, from the call or its enter and leave. */
function ioctlOf(event: TraceEvent, events: readonly TraceEvent[]) {
  const [before] = event.ins.length > 1 ? [event] : [events[event.of - 1]];
  const [command, argument] = before?.ins ?? [];
  const after = event.outs.at(-1);
  assert(typeof command === "number" && argument instanceof Uint8Array && after instanceof Uint8Array);
  const { outcome } = event;
  const result = outcome?.form === "value" && typeof outcome.value === "number" ? outcome.value : 0;
  return {
    command,
    before: argument,
    after,
    result,
    memory: (address: bigint, byteCount: number, when: "before" | "after") => {
      const at = Number(address - ARGUMENT);
      return (when === "before" ? argument : after).subarray(at, at + byteCount);
    },
  };
}

/** Values without what the two sides name differently: adapters, and pages of the program's own. */
function comparable(value: Value): unknown {
  if (isRef(value)) return value.kind === "adapter" || value.kind === "buffer" ? value.kind : value.handle;
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  const members = Object.entries(value).filter(([name]) => name !== "Size" && name !== "pSystemMem");
  return Object.fromEntries(members.map(([name, member]) => [name, comparable(member)]));
}

/** What the path loses or adds: a reserve's fence value, and what the guest's windows add to a pointer. */
const OTHERWISE = new Set(["FenceValueCPUVirtualAddress", "pData", "Accesses"]);

function saying({ plan, ins, outs }: Pick<TraceEvent, "plan" | "ins" | "outs">): [string, unknown][] {
  const isReserve = plan?.name === "D3DKMTReserveGpuVirtualAddress";
  const pairs = [
    ...(plan?.ins ?? []).map((param, index) => [param.name, ins[index] ?? null] as const),
    ...outs.map((value, index) => [plan?.outs[index]?.name ?? "", value] as const),
  ];
  return pairs.flatMap(([name, value]): [string, unknown][] =>
    OTHERWISE.has(name) || (isReserve && name === "PagingFenceValue") ? [] : [[name, comparable(value)]]
  );
}

Deno.test("ioctls of a guest decode to what the host repeats: every argument, every answer, every list", async () => {
  const { bytes } = await recordInMemory(defineProgram(everyCall), { seed: 4 });
  const events = [...openTrace(bytesSource(bytes)).events()];
  const whole = new Map(events.filter(({ kind }) => kind === "leave").map((event) => [event.of, event]));
  const made = events.flatMap((event) => {
    const isHosts = event.side === "umd#2" && (event.kind === "call" || event.kind === "enter");
    const end = whole.get(event.event) ?? event;
    return isHosts ? [{ plan: event.plan, ins: event.ins, outs: end.outs }] : [];
  });
  const decoder = new DxgDecoder();
  const decoded = events.flatMap((event) => {
    const isIoctl = event.plan?.name === "DxgIoctl" && (event.kind === "leave" || event.kind === "call");
    if (!isIoctl) return [];
    const call = decoder.decode(ioctlOf(event, events));
    assert(call.form === "call", call.form === "problem" ? call.message : call.form);
    return [call];
  });
  assertEquals(decoded.map(({ plan }) => plan.name), made.map(({ plan }) => plan?.name));
  assert(new Set(decoded.map(({ plan }) => plan.name)).size >= 24);
  for (const [index, call] of decoded.entries()) {
    const host = made[index];
    assert(host !== undefined);
    assertEquals(saying(call), saying({ ...host, outs: call.outs.length === 0 ? [] : host.outs }), call.plan.name);
  }
});
