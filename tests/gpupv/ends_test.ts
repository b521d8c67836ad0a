// Ends that meet other things under way: a create that fails late, a device that ends while something is made on it, a host
// that refuses to drop an allocation. Whatever the order, the two sides agree afterwards. Found by the simulation.

import { ERRNO, isRef, STATUS } from "../../src/api/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import type { GuestAdapter } from "../../src/gpupv/mod.ts";
import { atDesk, calls, type Desk, share } from "./rig.ts";

const CREATE_RESOURCE = 1;
const SEEDS = 24;

/** What either side still knows of a process's devices. */
function known({ dxg: { process, host } }: Desk): readonly string[] {
  const [atHost] = host.processes.values();
  return [
    ...process.handles.objects.map(({ kind }) => `guest ${kind}`),
    ...[...atHost?.memory.values() ?? []].map(() => "host memory"),
  ];
}

Deno.test("a create that fails late takes back the resource that it made, too", async () => {
  const events = await atDesk(async (desk) => {
    const { context, dxg, hDevice } = desk;
    const { value: pSystemMem } = await context.guest.AllocateBuffer({ ByteCount: 4096 });
    await context.machine.FailNext({ Call: "CreateMdl", Status: STATUS.STATUS_NO_MEMORY });
    const pAllocationInfo2 = [{ pSystemMem, Size: 4096 }];
    const ended = await dxg.createAllocation({ hDevice, Flags: CREATE_RESOURCE, pAllocationInfo2 });
    assertEquals([ended.result, ended.hResource], [-ERRNO.ENOMEM, 0]);
    const { hResource, status } = await dxg.createAllocation({ hDevice, Flags: CREATE_RESOURCE, pAllocationInfo2 });
    assertEquals(status, 0);
    await context.machine.FailNext({ Call: "CreateMdl", Status: STATUS.STATUS_NO_MEMORY });
    const added = await dxg.createAllocation({ hDevice, hResource, pAllocationInfo2 });
    assertEquals(added.result, -ERRNO.ENOMEM, "one more in a resource that was there: only it is taken back");
    assertEquals((await dxg.destroyAllocation({ hDevice, hResource })).result, 0);
  });
  const ended = events.filter(({ plan, kind }) => plan?.name === "D3DKMTDestroyAllocation2" && kind !== "leave");
  const resources = ended.map(({ ins: [, resource] }) => isRef(resource) ? resource.number : 0);
  assertEquals(resources, [1, 0, 2]);
});

type Maker = (
  hand: Pick<Desk, "hDevice"> & { readonly dxg: GuestAdapter; readonly buffer: number },
) => Promise<unknown>;

const MAKERS: Readonly<Record<string, Maker>> = {
  context: ({ dxg, hDevice }) => dxg.createContext({ hDevice }),
  pagingQueue: ({ dxg, hDevice }) => dxg.createPagingQueue({ hDevice }),
  syncObject: ({ dxg, hDevice }) => dxg.createSyncObject({ hDevice, Type: 5 }),
  allocation: ({ dxg, hDevice, buffer }) =>
    dxg.createAllocation({ hDevice, Flags: CREATE_RESOURCE, pAllocationInfo2: [{ pSystemMem: buffer, Size: 4096 }] }),
};

for (const [kind, make] of Object.entries(MAKERS)) {
  for (const mapsGuestPages of kind === "allocation" ? [false, true] : [false]) {
    const how = mapsGuestPages ? " over page numbers" : "";
    Deno.test(`a device that ends while a ${kind}${how} is made on it leaves nothing that either side knows`, async () => {
      for (let seed = 1; seed <= SEEDS; seed += 1) {
        await atDesk(async (desk) => {
          const { context, dxg, hDevice } = desk;
          const { value: buffer } = await context.guest.AllocateBuffer({ ByteCount: 4096 });
          const maker = context.spawn("maker", (thread) => make({ dxg: dxg.on(thread), hDevice, buffer }));
          for (let turn = 0; turn < seed % 8; turn += 1) await context.machine.AdvanceTime({ Nanoseconds: 1 });
          assertEquals((await dxg.destroyDevice({ hDevice })).result, 0);
          await maker;
          assertEquals(known(desk), [], `seed ${seed}`);
        }, { seed, guest: { mapsGuestPages } });
      }
    });
  }
}

Deno.test("an adapter that is closed while a device is made on it leaves none", async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const events = await atDesk(async (desk) => {
      const { context, dxg } = desk;
      const maker = context.spawn("maker", (thread) => dxg.on(thread).createDevice());
      for (let turn = 0; turn < seed % 8; turn += 1) await context.machine.AdvanceTime({ Nanoseconds: 1 });
      assertEquals((await dxg.closeAdapter()).result, 0);
      await maker;
      assertEquals(known(desk), [], `seed ${seed}`);
    }, { seed });
    const made = events.filter(({ plan, outs }) => plan?.name === "D3DKMTCreateDevice" && isRef(outs[0])).length;
    assertEquals(calls(events, /umd#2 D3DKMTDestroyDevice/).length, made, `seed ${seed}: the host keeps none either`);
  }
});

Deno.test("a resource that ends while an allocation is added to it leaves no allocation", async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    await atDesk(async (desk) => {
      const { context, dxg, hDevice } = desk;
      const { value: pSystemMem } = await context.guest.AllocateBuffer({ ByteCount: 4096 });
      const pAllocationInfo2 = [{ pSystemMem, Size: 4096 }];
      const { hResource } = await dxg.createAllocation({ hDevice, Flags: CREATE_RESOURCE, pAllocationInfo2 });
      const adder = context.spawn(
        "adder",
        async (thread) => await dxg.on(thread).createAllocation({ hDevice, hResource, pAllocationInfo2 }),
      );
      for (let turn = 0; turn < seed % 8; turn += 1) await context.machine.AdvanceTime({ Nanoseconds: 1 });
      assertEquals((await dxg.destroyAllocation({ hDevice, hResource })).result, 0);
      await adder;
      const { result } = await dxg.createAllocation({ hDevice, hResource, pAllocationInfo2 });
      assertEquals(result, -ERRNO.EINVAL, "a resource that is gone");
      const left = known(desk).filter((each) => /allocation|resource|memory/.test(each));
      assertEquals(left, [], `seed ${seed}`);
    }, { seed });
  }
});

Deno.test("two threads that end one device end it once", async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const events = await atDesk(async (desk) => {
      const { context, dxg, hDevice } = desk;
      await share(desk);
      const other = context.spawn("other", (thread) => dxg.on(thread).destroyDevice({ hDevice }));
      const results = [(await dxg.destroyDevice({ hDevice })).result, (await other).result];
      assert(results.includes(0) && results.some((result) => result < 0), results.join());
    }, { seed });
    assertEquals(calls(events, /DestroyDevice/), ["umd#2 D3DKMTDestroyDevice"], `seed ${seed}`);
    assertEquals(calls(events, /DestroyAllocation2/).length, 1, `seed ${seed}`);
  }
});

Deno.test("memory of an allocation that the host would not drop is let go with its device, or its adapter", async () => {
  const ends: readonly ((desk: Desk) => Promise<{ readonly result: number }>)[] = [
    ({ dxg, hDevice }) => dxg.destroyDevice({ hDevice }),
    ({ dxg }) => dxg.closeAdapter(),
  ];
  for (const end of ends) {
    await atDesk(async (desk) => {
      const { context, dxg, hDevice } = desk;
      const { hAllocation } = await share(desk);
      await context.machine.FailNext({ Call: "D3DKMTDestroyAllocation2", Status: STATUS.STATUS_NO_MEMORY });
      const refused = await dxg.destroyAllocation({ hDevice, phAllocationList: [hAllocation] });
      assertEquals(refused.result, -ERRNO.ENOMEM);
      assertEquals(known(desk).includes("host memory"), true);
      assertEquals((await end(desk)).result, 0);
      assertEquals(known(desk), []);
    }, { guest: { mapsGuestPages: true } });
  }
});

Deno.test("a wait that is under way when its process exits is answered, though the host ended nothing before", async () => {
  const events = await atDesk(async ({ context, dxg, hDevice }) => {
    const { hSyncObject } = await dxg.createSyncObject({ hDevice, Type: 5 });
    const results: number[] = [];
    const waiter = context.spawn("waiter", async (thread) => {
      const wait = { hDevice, ObjectHandleArray: [hSyncObject], FenceValueArray: [9n] };
      results.push((await dxg.on(thread).waitFromCpu(wait)).result);
    });
    while (dxg.host.late.size === 0) await context.machine.AdvanceTime({ Nanoseconds: 1 });
    await context.machine.FailNext({ Call: "D3DKMTDestroyDevice", Status: STATUS.STATUS_NO_MEMORY });
    await dxg.exitProcess();
    await waiter;
    assertEquals(results, [-ERRNO.EINVAL]);
  }, { stuck: ["host WaitSyncFromCpu waits in umd#2 D3DKMTWaitForSynchronizationObjectFromCpu"] });
  const delivered = events.filter(({ plan, kind }) =>
    plan?.name === "EvtVmbChannelProcessPacket" && kind === "callback"
  );
  assertEquals(calls(events, /PacketComplete/).length, delivered.length, "every packet is completed");
});
