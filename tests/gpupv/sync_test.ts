// Fences, waits, signals, device states and the list of adapters over the paravirtualised path (gpuva.md 2.2, 2.5, 5.2, 5.4).

import { ERRNO, STATUS } from "../../src/api/mod.ts";
import { askDxg, decodeMessage } from "../../src/gpupv/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";
import type { LayoutRecord } from "../../src/wire/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { atDesk, calls, type Desk } from "./rig.ts";

const MONITORED = 5;
const { EINVAL, EOVERFLOW, EACCES, EBADF } = ERRNO;

async function fence({ dxg, hDevice }: Desk, Flags = 0): Promise<number> {
  const made = await dxg.createSyncObject({ hDevice, Type: MONITORED, Flags, InitialFenceValue: 3 });
  assertEquals(made.result, 0);
  return made.hSyncObject;
}

/** The commands that came to the host, by name, with their fields. */
function messages(events: readonly TraceEvent[], name: string) {
  return events.flatMap(({ plan, kind, ins }) => {
    if (plan?.name !== "EvtVmbChannelProcessPacket" || kind !== "callback") return [];
    const buffer: unknown = ins.find((each) => each instanceof Uint8Array);
    const message = buffer instanceof Uint8Array ? decodeMessage(buffer, { interfaceVersion: 46, luid: 1n }) : null;
    return message?.name === name ? [message.fields] : [];
  });
}

/** The variable end of a message. */
function viewOf(fields: LayoutRecord | undefined): DataView {
  const tail = fields?.["tail"];
  assert(tail instanceof Uint8Array);
  return new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
}

Deno.test("a wait of the CPU is over when another thread's signal arrives, over the same channel", async () => {
  const order: string[] = [];
  const events = await atDesk(async (desk) => {
    const { context, dxg, hDevice } = desk;
    const hSyncObject = await fence(desk);
    const met = { hDevice, ObjectHandleArray: [hSyncObject], FenceValueArray: [3n] };
    assertEquals((await dxg.waitFromCpu(met)).result, 0, "a value that is there");
    const target = { ...met, FenceValueArray: [9n] };
    const waiter = context.spawn("waiter", async (thread) => {
      assertEquals((await dxg.on(thread).waitFromCpu(target)).result, 0);
      order.push("waited");
    });
    await dxg.createDevice();
    order.push("signal");
    assertEquals((await dxg.signalFromCpu(target)).result, 0);
    await waiter;
    assertEquals((await dxg.destroySyncObject({ hSyncObject })).result, 0);
    assertEquals((await dxg.destroySyncObject({ hSyncObject })).result, -EINVAL);
  });
  assertEquals(order, ["signal", "waited"]);
  assertEquals(calls(events, /umd#2 .*Synchronization/), [
    "umd#2 D3DKMTCreateSynchronizationObject2",
    "umd#2 D3DKMTWaitForSynchronizationObjectFromCpu",
    "umd#2 D3DKMTSignalSynchronizationObjectFromCpu",
    "umd#2 D3DKMTWaitForSynchronizationObjectFromCpu",
    "umd#2 D3DKMTDestroySynchronizationObject",
  ]);
  const waits = events.filter(({ plan, side, kind }) =>
    side === "umd#2" && kind !== "leave" && plan?.name.includes("FromCpu") === true
  );
  // A wait goes on when its packet's callback has returned: it has a thread of its own. A signal does not.
  for (const { plan, cause } of waits) {
    const isWait = plan?.name.includes("Wait") === true;
    assertEquals(events[cause - 1]?.plan?.name, isWait ? undefined : "EvtVmbChannelProcessPacket");
  }
  const [first] = messages(events, "WaitSyncFromCpu");
  assertEquals(first?.["object_count"], 1);
  assertEquals(viewOf(first).getBigUint64(4, true), 3n);
});

Deno.test("the host refuses what a fence's flags forbid, and a zero handle is its no to a create", async () => {
  const events = await atDesk(async (desk) => {
    const { context, dxg, hDevice } = desk;
    const noWait = await fence(desk, 0x20);
    const list = { hDevice, ObjectHandleArray: [noWait], FenceValueArray: [1n] };
    const denied = await dxg.waitFromCpu(list);
    assertEquals([denied.result, denied.status], [-EACCES, STATUS.STATUS_ACCESS_DENIED]);
    assertEquals((await dxg.createSyncObject({ hDevice, Type: 2 })).result, -EINVAL, "the status is lost");
    assertEquals((await dxg.createSyncObject({ hDevice: 9, Type: MONITORED })).result, -EINVAL);
    await context.machine.FailNext({
      Call: "D3DKMTSignalSynchronizationObjectFromCpu",
      Status: STATUS.STATUS_INVALID_HANDLE,
    });
    assertEquals((await dxg.signalFromCpu(list)).result, -EBADF);
  });
  assertEquals(messages(events, "SignalSyncObject").length, 1);
});

Deno.test("no object, more than 32, no such device or context, an event file: the guest refuses, and nothing is sent", async () => {
  const events = await atDesk(async (desk) => {
    const { context, dxg, hDevice } = desk;
    const hSyncObject = await fence(desk);
    const many = { ObjectHandleArray: new Array(33).fill(hSyncObject), FenceValueArray: new Array(33).fill(1n) };
    const one = { ObjectHandleArray: [hSyncObject], FenceValueArray: [1n] };
    const refused = [
      dxg.waitFromCpu({ hDevice }),
      dxg.waitFromCpu({ hDevice, ...many }),
      dxg.waitFromCpu({ hDevice: 9, ...one }),
      dxg.signalFromCpu({ hDevice, ...many }),
      dxg.signalFromCpu({ hDevice: 9, ...one }),
      dxg.waitFromGpu({ hContext: hDevice, ...one }),
      dxg.signalFromGpu({ hContext: hDevice, ...one }),
      dxg.deviceState({ hDevice: 9, StateType: 1 }),
      dxg.waitFromCpu({ hDevice, ObjectHandleArray: [hSyncObject], FenceValueArray: [] }),
      askDxg(context, "WaitForSynchronizationObjectFromCpu", {
        fields: { hDevice, ObjectCount: 1, hAsyncEvent: 5 },
        pointed: [
          { field: "ObjectHandleArray", bytes: new Uint8Array(4) },
          { field: "FenceValueArray", bytes: new Uint8Array(8) },
        ],
      }),
    ];
    for (const each of refused) assertEquals((await each).result, -EINVAL);
  });
  for (const name of ["WaitSyncFromCpu", "WaitSyncFromGpu", "SignalSyncObject", "GetDeviceState"]) {
    assertEquals(messages(events, name).length, 0, name);
  }
});

for (const isAsyncEnabled of [false, true]) {
  Deno.test(`contexts wait and signal${isAsyncEnabled ? ", without a reply where the host takes such" : ""}`, async () => {
    const events = await atDesk(async (desk) => {
      const { context, dxg, hDevice } = desk;
      const { hContext } = await dxg.createContext({ hDevice });
      const [one, two] = [await fence(desk), await fence(desk)];
      const wait = { hContext, ObjectHandleArray: [one], FenceValueArray: [4n] };
      assertEquals((await dxg.waitFromGpu(wait)).result, 0);
      const signal = { hContext, ObjectHandleArray: [two, one], FenceValueArray: [2n ** 40n, 7n] };
      assertEquals((await dxg.signalFromGpu(signal)).result, 0);
      const done = context.spawn(
        "done",
        (thread) =>
          dxg.on(thread).waitFromCpu({ hDevice, ObjectHandleArray: [two, one], FenceValueArray: [2n ** 40n, 7n] }),
      );
      assertEquals(
        (await dxg.signalFromCpu({ hDevice, ObjectHandleArray: [one], FenceValueArray: [4n] })).result,
        0,
      );
      assertEquals((await done).result, 0, "the GPU waited, then signalled");
      const any = { hDevice, ObjectHandleArray: [one, two], FenceValueArray: [99n, 5n], WaitAny: true };
      assertEquals((await dxg.waitFromCpu(any)).result, 0);
    }, { guest: { isAsyncEnabled } });
    assertEquals(calls(events, /VmbPacketSend/).length, isAsyncEnabled ? 2 : 0);
    const [wait] = messages(events, "WaitSyncFromGpu");
    const [signal] = messages(events, "SignalSyncObject");
    assertEquals([wait?.["object_count"], signal?.["object_count"], signal?.["context_count"]], [1, 2, 1]);
    assertEquals(viewOf(wait).getBigUint64(0, true), 4n, "values stand in front of handles");
    const value = viewOf(signal).getBigUint64(3 * 4, true);
    assertEquals(value, 2n ** 40n, "two objects, a context, then values, without a gap");
  });
}

Deno.test("a device tells how it is, and after a fault where it faulted", async () => {
  await atDesk(async (desk) => {
    const { dxg, hDevice } = desk;
    const { hContext } = await dxg.createContext({ hDevice });
    const active = await dxg.deviceState({ hDevice, StateType: 1 });
    assertEquals([active.result, active.ExecutionState], [0, 1]);
    await dxg.submitCommand({
      BroadcastContext: [hContext],
      Accesses: [{ VirtualAddress: 0x7000_0000n, ByteCount: 8, Access: 1 }],
    });
    const fault = await dxg.deviceState({ hDevice, StateType: 5 });
    assertEquals([fault.result, fault.FaultedVirtualAddress, fault.PageFaultFlags & 1], [0, 0x7000_0000n, 1]);
    assertEquals((await dxg.deviceState({ hDevice, StateType: 1 })).ExecutionState, 7);
    assertEquals((await dxg.deviceState({ hDevice, StateType: 77 })).result, -EINVAL);
  }, { model: { "gpu-work": "immediate" } });
});

Deno.test("the list of adapters counts, opens, and has no room", async () => {
  await atDesk(async ({ dxg, context }) => {
    const counted = await dxg.enumAdapters(0);
    assertEquals([counted.result, counted.NumAdapters, counted.pAdapters.length], [0, 1, 0]);
    const listed = await dxg.enumAdapters(4);
    const [found] = listed.pAdapters;
    assertEquals([listed.result, listed.NumAdapters, found?.AdapterLuid], [0, 1, 1n]);
    assert(found !== undefined && found.hAdapter !== 0 && found.hAdapter !== dxg.hAdapter);
    const none = await askDxg(context, "EnumAdapters3", { fields: { NumAdapters: 0, pAdapters: 0x7f00_0000_0018n } });
    assertEquals([none.result, none.out["NumAdapters"]], [-EOVERFLOW, 1]);
    const created = await askDxg(context, "CreateDevice", { fields: { hAdapter: found.hAdapter } });
    assertEquals(created.result, 0, "the handle is open");
    const closed = await askDxg(context, "CloseAdapter", { fields: { handle: found.hAdapter } });
    assertEquals(closed.result, 0);
    assertEquals((await askDxg(context, "CreateDevice", { fields: { hAdapter: found.hAdapter } })).result, -EINVAL);
  });
});
