// Every other message's flow: what the guest checks, what it sends, what of the reply a program sees, and what errors become
// on their way (gpuva.md 5.3, 5.5, 5.6).

import { ERRNO, STATUS } from "../../src/api/mod.ts";
import { askDxg, decodeMessage } from "../../src/gpupv/mod.ts";
import { recordInMemory } from "../../src/record/mod.ts";
import { replay } from "../../src/replay/mod.ts";
import { PROGRAMS } from "../../src/programs/mod.ts";
import { bytesSource, openTrace, type TraceEvent } from "../../src/trace/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { atDesk, calls, type Desk, share } from "./rig.ts";

const HOST = /umd#2/;
const { EINVAL, EPERM, EBADF, ENOMEM, EACCES, ENODEV, EOVERFLOW, ENOTTY } = ERRNO;

/** Makes the host's next call of a name fail. */
async function failNext({ context }: Desk, Call: string, status: keyof typeof STATUS): Promise<void> {
  await context.machine.FailNext({ Call, Status: STATUS[status] });
}

Deno.test("map: pending is a positive result, fence and address come back; the host's rules are its own", async () => {
  const events = await atDesk(async (desk) => {
    const { dxg, hPagingQueue } = desk;
    const { hAllocation } = await share(desk);
    const good = { hPagingQueue, hAllocation, SizeInPages: 2, Protection: 1 };
    const mapped = await dxg.mapGpuVirtualAddress(good);
    assertEquals([mapped.result, mapped.status, mapped.PagingFenceValue], [259, STATUS.STATUS_PENDING, 1n]);
    assert(mapped.VirtualAddress !== 0n);
    const unaligned = await dxg.mapGpuVirtualAddress({ ...good, BaseAddress: 5 });
    assertEquals([unaligned.result, unaligned.status], [-EINVAL, STATUS.STATUS_INVALID_PARAMETER]);
    assertEquals((await dxg.mapGpuVirtualAddress({ ...good, hPagingQueue: 1 })).result, -EINVAL);
    const free = { BaseAddress: mapped.VirtualAddress, Size: 8192 };
    assertEquals((await dxg.freeGpuVirtualAddress(free)).result, 0);
    assertEquals((await dxg.freeGpuVirtualAddress({ ...free, hAdapter: 1 })).result, -EINVAL);
  });
  assertEquals(
    calls(events, /VirtualAddress/).map((call) => call.slice(-17)),
    [
      "MapGpuVirtualAddress",
      "MapGpuVirtualAddress",
      "FreeGpuVirtualAddress",
    ].map((name) => name.slice(-17)),
    "a handle that the guest does not know goes nowhere",
  );
});

Deno.test("errors collapse into errno, and the library makes of them what it can", async () => {
  const seen: [number, number][] = [];
  await atDesk(async (desk) => {
    const { dxg, hPagingQueue } = desk;
    const { hAllocation } = await share(desk);
    for (
      const status of [
        "STATUS_NO_MEMORY",
        "STATUS_ACCESS_DENIED",
        "STATUS_INVALID_HANDLE",
        "STATUS_DEVICE_REMOVED",
        "STATUS_NOT_IMPLEMENTED",
        "STATUS_QUOTA_EXCEEDED",
      ] as const
    ) {
      await failNext(desk, "D3DKMTMapGpuVirtualAddress", status);
      const { result, status: seenAs } = await dxg.mapGpuVirtualAddress({ hPagingQueue, hAllocation, SizeInPages: 1 });
      seen.push([result, seenAs]);
    }
  });
  assertEquals(seen, [
    [-ENOMEM, STATUS.STATUS_NO_MEMORY],
    [-EACCES, STATUS.STATUS_ACCESS_DENIED],
    [-EBADF, STATUS.STATUS_INVALID_HANDLE],
    [-ENODEV, STATUS.STATUS_DEVICE_REMOVED],
    [-EPERM, STATUS.STATUS_NOT_SUPPORTED],
    [-EINVAL, STATUS.STATUS_INVALID_PARAMETER],
  ]);
});

Deno.test("reserve: through a queue or an adapter; a failure at the host is success and address 0; no fence value", async () => {
  await atDesk(async (desk) => {
    const { dxg, hPagingQueue } = desk;
    const byQueue = await dxg.reserveGpuVirtualAddress({ hPagingQueue, Size: 0x10000 });
    assertEquals([byQueue.result, byQueue.PagingFenceValue], [0, 0n]);
    const byAdapter = await dxg.reserveGpuVirtualAddress({ hAdapter: dxg.hAdapter, Size: 0x10000 });
    assert(byQueue.VirtualAddress !== 0n && byAdapter.VirtualAddress !== 0n);
    const refused = await dxg.reserveGpuVirtualAddress({ hPagingQueue, Size: 5 });
    assertEquals([refused.result, refused.VirtualAddress], [0, 0n]);
    assertEquals((await dxg.reserveGpuVirtualAddress({ hPagingQueue: 3, Size: 0x10000 })).result, -EINVAL);
  });
});

Deno.test("make resident loses what to trim where there is no memory, and evict shows no failure", async () => {
  const events = await atDesk(async (desk) => {
    const { dxg, hDevice, hPagingQueue } = desk;
    const { pAllocationInfo2 } = await dxg.createAllocation({ hDevice, pAllocationInfo2: [{ Size: 8192 }] });
    const AllocationList = [pAllocationInfo2[0]?.hAllocation ?? 0];
    const made = await dxg.makeResident({ hPagingQueue, AllocationList });
    assert(made.result === 0 || made.result === 259);
    const more = await dxg.createAllocation({ hDevice, pAllocationInfo2: [{ Size: 65536 }] });
    const tooMuch = [more.pAllocationInfo2[0]?.hAllocation ?? 0];
    const full = await dxg.makeResident({ hPagingQueue, AllocationList: tooMuch });
    assertEquals([full.result, full.NumBytesToTrim], [-ENOMEM, 0n]);
    assertEquals((await dxg.evict({ hDevice, AllocationList })).result, 0);
    assertEquals((await dxg.evict({ hDevice, AllocationList: [77] })).result, 0, "the host's refusal does not show");
    assertEquals((await dxg.evict({ hDevice })).result, -EINVAL);
    assertEquals((await dxg.makeResident({ hPagingQueue })).result, -EINVAL);
    const many = Array.from({ length: 10_241 }, () => 1);
    assertEquals((await dxg.makeResident({ hPagingQueue, AllocationList: many })).result, -EINVAL);
  }, { model: { "residency-budget": "16384" } });
  const resident = events.filter(({ plan, kind }) => plan?.name === "D3DKMTMakeResident" && kind === "call");
  assertEquals(resident.map(({ outs }) => Number(outs[1] ?? 0) > 0), [false, true], "the host said what to trim");
  assertEquals(calls(events, /D3DKMTEvict/).length, 2);
});

Deno.test("update: none, or more than fit, never leave the guest; operations arrive as they were", async () => {
  const events = await atDesk(async (desk) => {
    const { dxg, hDevice, hPagingQueue } = desk;
    const { hContext } = await dxg.createContext({ hDevice });
    const { hAllocation } = await share(desk);
    const { VirtualAddress } = await dxg.reserveGpuVirtualAddress({ hPagingQueue, Size: 0x10000, ReservationType: 1 });
    const { hSyncObject } = await dxg.createPagingQueue({ hDevice });
    const map = { OperationType: 0, BaseAddress: VirtualAddress, SizeInBytes: 0x2000, hAllocation };
    const base = { hDevice, hContext, hFenceObject: hSyncObject, Flags: 1 };
    for (const count of [0, 2048, 2049]) {
      const { result } = await dxg.updateGpuVirtualAddress({ ...base, Operations: new Array(count).fill(map) });
      assertEquals(result, -EINVAL, `${count}`);
    }
    await dxg.updateGpuVirtualAddress({ ...base, Operations: new Array(2047).fill(map) });
    await dxg.updateGpuVirtualAddress({
      ...base,
      Operations: [map, { OperationType: 2, SourceAddress: VirtualAddress, SizeInBytes: 0x1000, DestAddress: 0x9000 }],
    });
  });
  const updates = events.filter(({ plan, kind }) => plan?.name.includes("Update") === true && kind !== "leave");
  assertEquals(updates.map((update) => listOf(update, 3).length), [2047, 2], "the most that fit, and two");
  const [, update] = updates;
  const [first, second] = listOf(update, 3);
  assertEquals([first?.["SizeInBytes"], second?.["DestAddress"], second?.["BaseAddress"]], [0x2000n, 0x9000n, 0n]);
});

function listOf(event: TraceEvent | undefined, index: number): readonly Record<string, unknown>[] {
  const value: unknown = event?.ins[index];
  return Array.isArray(value) ? value : [];
}

Deno.test("submit: synchronous on the GPU's channel; without a reply over the global one where the host takes such", async () => {
  const sends = async (isAsyncEnabled: boolean) => {
    const events = await atDesk(async ({ dxg, hDevice }) => {
      const { hContext } = await dxg.createContext({ hDevice });
      const commands = { BroadcastContext: [hContext], Commands: 0, CommandLength: 64, Flags: 1 };
      assertEquals((await dxg.submitCommand(commands)).result, 0);
      assertEquals((await dxg.submitCommand({})).result, -EINVAL);
    }, { guest: { isAsyncEnabled } });
    return calls(events, /VmbPacketSend|SubmitCommand/);
  };
  assertEquals(await sends(false), ["umd#2 D3DKMTSubmitCommand"]);
  assertEquals(await sends(true), ["client VmbPacketSend", "umd#2 D3DKMTSubmitCommand"]);
});

Deno.test("submit: history buffers stand in front of private data; more of them or of primaries than fit are refused", async () => {
  const events = await atDesk(async ({ context, dxg, hDevice }) => {
    const { hContext } = await dxg.createContext({ hDevice });
    const base = { BroadcastContextCount: 1, BroadcastContext: [hContext], CommandLength: 0 };
    const access = new Uint8Array(16);
    new DataView(access.buffer).setBigUint64(0, 0x7000n, true);
    new DataView(access.buffer).setUint32(8, 8, true);
    const pointed = [
      { field: "HistoryBufferArray", bytes: new Uint8Array(12).fill(7) },
      { field: "pPrivateDriverData", bytes: access },
    ];
    const ask = async (fields: Record<string, number>) =>
      (await askDxg(context, "SubmitCommand", { fields: { ...base, ...fields }, pointed })).result;
    assertEquals(await ask({ NumHistoryBuffers: 3, PrivateDriverDataSize: 16 }), 0);
    assertEquals(await ask({ NumHistoryBuffers: 1025 }), -EINVAL);
    assertEquals(await ask({ NumPrimaries: 17 }), -EINVAL);
  });
  const [submitted, ...more] = events.filter(({ plan, side }) =>
    HOST.test(side) && plan?.name.endsWith("SubmitCommand")
  );
  assertEquals([listOf(submitted, 4)[0]?.["VirtualAddress"], listOf(submitted, 4).length, more.length], [
    0x7000n,
    1,
    0,
  ]);
});

Deno.test("a process that ends flushes the devices of every adapter handle before any of them ends", async () => {
  const events = await atDesk(async ({ context, dxg }) => {
    const [other] = (await dxg.enumAdapters()).pAdapters;
    await askDxg(context, "CreateDevice", { fields: { hAdapter: other?.hAdapter ?? 0 } });
    await dxg.exitProcess();
  });
  const names = events.flatMap(({ plan, kind, ins }) => {
    const buffer: unknown = ins.find((each) => each instanceof Uint8Array);
    const isPacket = plan?.name === "EvtVmbChannelProcessPacket" && kind === "callback";
    return isPacket && buffer instanceof Uint8Array
      ? [decodeMessage(buffer, { interfaceVersion: 46, luid: 1n })?.name ?? ""]
      : [];
  });
  assertEquals(names.filter((name) => /Flush|DestroyDevice|CloseAdapter|DestroyProcess/.test(name)), [
    "FlushDevice",
    "FlushDevice",
    "DestroyDevice",
    "CloseAdapter",
    "DestroyDevice",
    "CloseAdapter",
    "DestroyProcess",
  ]);
});

Deno.test("with asynchronous messages everything goes over the global channel", async () => {
  const channels = async (isAsyncEnabled: boolean) => {
    const events = await atDesk(async () => {}, { guest: { isAsyncEnabled } });
    return new Set(
      events.flatMap(({ plan, ins, kind }) =>
        plan?.name === "VmbChannelSendSynchronousRequest" && kind === "enter" ? [JSON.stringify(ins[0])] : []
      ),
    ).size;
  };
  assertEquals([await channels(false), await channels(true)], [2, 1]);
});

Deno.test("objects: a zero handle is the host's no; unknown handles are the guest's; the fence is where the window is", async () => {
  const events = await atDesk(async (desk) => {
    const { dxg, hDevice, hPagingQueue } = desk;
    for (
      const [call, ask] of [
        ["D3DKMTCreateDevice", () => dxg.createDevice()],
        ["D3DKMTCreateContextVirtual", () => dxg.createContext({ hDevice })],
        ["D3DKMTCreatePagingQueue", () => dxg.createPagingQueue({ hDevice })],
      ] as const
    ) {
      await failNext(desk, call, "STATUS_NO_MEMORY");
      assertEquals((await ask()).result, -EINVAL, call);
    }
    const unknown = [
      dxg.createContext({ hDevice: 9 }),
      dxg.createPagingQueue({ hDevice: 9 }),
      dxg.destroyDevice({ hDevice: hPagingQueue }),
      dxg.destroyContext({ hContext: 9 }),
      dxg.destroyPagingQueue({ hPagingQueue: hDevice }),
    ];
    for (const each of unknown) assertEquals((await each).result, -EINVAL);
    const queue = await dxg.createPagingQueue({ hDevice });
    assert(queue.FenceValueCPUVirtualAddress > 0x7e00_0000_0000n);
    await failNext(desk, "D3DKMTDestroyPagingQueue", "STATUS_NO_MEMORY");
    assertEquals((await dxg.destroyPagingQueue(queue)).result, 0, "what the host answers is not looked at");
  });
  assertEquals(calls(events, HOST).filter((call) => call.includes("Destroy")).length, 1);
});

Deno.test("a command that is not written, of another size, or cut short", async () => {
  await atDesk(async ({ context }) => {
    const raw = async (Command: number, Argument: Uint8Array) =>
      (await context.guestUmd.DxgIoctl({ Command, Argument })).value;
    assertEquals(await raw(0xc170472d, new Uint8Array(368)), -ENOTTY, "Render");
    assertEquals(await raw(0xc0644707, new Uint8Array(100)), -ENOTTY, "another size");
    assertEquals(await raw(0xc068470c, new Uint8Array(20)), -EINVAL, "cut short");
  });
});

Deno.test("a reply that is shorter than it should be is EOVERFLOW; after the channels are gone nothing can be asked", async () => {
  await atDesk(async ({ context, dxg }) => {
    await dxg.exitProcess();
    assertEquals((await dxg.createDevice()).result, -EINVAL, "the guest forgot the adapter");
    const opened = await askDxg(context, "OpenAdapterFromLuid", { fields: { AdapterLuid: 1n } });
    assertEquals(opened.result, -EOVERFLOW, "the host knows no such process");
    await dxg.close();
    const closed = await askDxg(context, "OpenAdapterFromLuid", { fields: { AdapterLuid: 1n } });
    assertEquals(closed.result, -ENODEV);
  });
});

Deno.test("in gpu-pv every event but the program's own names its cause, down to the wire, and it replays", async () => {
  const module = PROGRAMS["gpu-pv"];
  assert(module !== undefined);
  const { bytes } = await recordInMemory(module, { seed: 3 });
  const trace = openTrace(bytesSource(bytes));
  assertEquals(replay(trace).divergence, null);
  const events = [...trace.events()];
  const rootOf = (event: TraceEvent): TraceEvent => {
    const cause = event.cause === 0 ? undefined : events[event.cause - 1];
    return cause === undefined ? event : rootOf(cause);
  };
  const maps = events.filter(({ plan, kind }) => plan?.name === "VmbChannelMapGpadl" && kind === "call");
  assertEquals(maps.length, 24);
  for (const map of maps) assertEquals([rootOf(map).side, rootOf(map).plan?.name], ["guest-umd", "DxgIoctl"]);
  const gpadls = events.filter(({ plan }) => plan?.name === "GPADL_TEARDOWN").slice(0, 24);
  for (const gpadl of gpadls) assertEquals(rootOf(gpadl).plan?.name, "DxgIoctl");
  assertEquals(new Set(events.map(({ level }) => level)), new Set(["kmcl", "d3dkmt", "machine", "wire"]));
});
