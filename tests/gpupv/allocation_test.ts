// Allocations over the guest's memory: both ways in, the documented order, every undo, teardown, and how it ends when the host
// grants no more GPADLs (gpuva.md 5.7).

import { ERRNO, STATUS } from "../../src/api/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { atDesk, calls, type Desk, share } from "./rig.ts";

const STEPS = /Gpadl|Mdl|Pfn|Allocation2/;

/** What happened from a body's first memory on. */
async function stepsOf(
  body: (desk: Desk) => Promise<void>,
  options: Parameters<typeof atDesk>[1] = {},
): Promise<string[]> {
  return calls(await atDesk(body, options), STEPS);
}

const CREATED = [
  "umd#2 D3DKMTCreateAllocation2",
  "guest CreateMdl",
  "client VmbChannelCreateGpadlFromBuffer",
  "server VmbChannelMapGpadl",
];
const DESTROYED = [
  "umd#2 D3DKMTDestroyAllocation2",
  "server VmbChannelUnmapGpadl",
  "guest FreeMdl",
  "client VmbChannelDeleteGpadl",
];

Deno.test("by GPADL: message 4, pages pinned, GPADL on the global channel, message 45; then host, pages, GPADL end in that order", async () => {
  const steps = await stepsOf(async (desk) => {
    const { status, hAllocation } = await share(desk);
    assertEquals(status, 0);
    const { status: gone } = await desk.dxg.destroyAllocation({
      hDevice: desk.hDevice,
      phAllocationList: [hAllocation],
    });
    assertEquals(gone, 0);
  });
  assertEquals(steps, [...CREATED, ...DESTROYED]);
});

Deno.test("by page numbers: messages 66 of at most 15867 numbers, and nothing to tear down", async () => {
  const events = await atDesk(async (desk) => {
    const { status, hAllocation } = await share(desk, 16_000 * 4096);
    assertEquals(status, 0);
    await desk.dxg.destroyAllocation({ hDevice: desk.hDevice, phAllocationList: [hAllocation] });
  }, { guest: { mapsGuestPages: true } });
  assertEquals(calls(events, STEPS), [
    "umd#2 D3DKMTCreateAllocation2",
    "guest CreateMdl",
    "guest MmGetMdlPfnArray",
    "umd#2 D3DKMTDestroyAllocation2",
    "guest FreeMdl",
  ]);
  const lengths = events.flatMap(({ plan, kind, ins }) =>
    kind === "callback" && plan?.name === "EvtVmbChannelProcessPacket" && Number(ins[3]) > 1000 ? [Number(ins[3])] : []
  );
  assertEquals(lengths, [16 + 40 + 15_867 * 8, 16 + 40 + (16_000 - 15_867) * 8]);
});

/** What fails, at which step, with which status; what the program sees; what is undone. */
const FAILURES: readonly {
  readonly call: string;
  readonly skip?: number;
  readonly result: number;
  readonly undone: readonly string[];
}[] = [
  { call: "D3DKMTCreateAllocation2", result: -ERRNO.EINVAL, undone: [] },
  { call: "VmbChannelSendSynchronousRequest", result: -ERRNO.EINVAL, undone: [] },
  { call: "CreateMdl", result: -ERRNO.ENOMEM, undone: ["umd#2 D3DKMTDestroyAllocation2"] },
  {
    call: "VmbChannelCreateGpadlFromBuffer",
    result: -ERRNO.ENOMEM,
    undone: ["umd#2 D3DKMTDestroyAllocation2", "guest FreeMdl"],
  },
  {
    call: "VmbChannelSendSynchronousRequest",
    skip: 1,
    result: -ERRNO.EINVAL,
    undone: ["umd#2 D3DKMTDestroyAllocation2", "guest FreeMdl", "client VmbChannelDeleteGpadl"],
  },
  {
    call: "VmbChannelMapGpadl",
    result: -ERRNO.EINVAL,
    undone: ["umd#2 D3DKMTDestroyAllocation2", "guest FreeMdl", "client VmbChannelDeleteGpadl"],
  },
];

for (const { call, skip = 0, result, undone } of FAILURES) {
  Deno.test(`a create whose ${call} fails${skip > 0 ? ", the second one," : ""} is undone from there`, async () => {
    let failedAt = 0;
    const events = await atDesk(async (desk) => {
      await desk.context.machine.FailNext({ Call: call, Status: STATUS.STATUS_QUOTA_EXCEEDED, Skip: skip });
      const failed = await share(desk);
      assertEquals([failed.result, failed.hAllocation], [result, 0]);
      const again = await share(desk);
      assertEquals(again.status, 0, "nothing is left in the way");
    });
    failedAt = events.findIndex(({ plan, outcome }) => plan?.name === call && didFail(outcome));
    const after = calls(events, STEPS, failedAt + 1);
    assertEquals(after.slice(0, undone.length), undone);
    assertEquals(after.slice(undone.length), CREATED);
  });
}

function didFail(outcome: unknown): boolean {
  if (typeof outcome !== "object" || outcome === null || !("form" in outcome)) return false;
  return outcome.form === "refused" || ("status" in outcome && Number(outcome.status) >= 0x8000_0000);
}

Deno.test("the second batch of page numbers that fails undoes the first: the host drops the allocation, the pages are let go", async () => {
  const steps = await stepsOf(async (desk) => {
    await desk.context.machine.FailNext({
      Call: "VmbChannelSendSynchronousRequest",
      Status: STATUS.STATUS_NO_MEMORY,
      Skip: 2,
    });
    assertEquals((await share(desk, 16_000 * 4096)).result, -ERRNO.ENOMEM);
  }, { guest: { mapsGuestPages: true } });
  assertEquals(steps.slice(-2), ["umd#2 D3DKMTDestroyAllocation2", "guest FreeMdl"]);
});

Deno.test("without the teardown every allocation leaves its GPADL, until the host refuses one: ENOMEM from then on", async () => {
  const results: number[] = [];
  const events = await atDesk(async (desk) => {
    for (let count = 0; count < 5; count += 1) {
      const { result, hAllocation } = await share(desk);
      results.push(result);
      if (result === 0) {
        await desk.dxg.destroyAllocation({ hDevice: desk.hDevice, phAllocationList: [hAllocation] });
      }
    }
  }, { guest: { tearsDown: false }, model: { "gpadl-limit": "3" } });
  assertEquals(results, [0, 0, 0, -ERRNO.ENOMEM, -ERRNO.ENOMEM]);
  assertEquals(calls(events, /DeleteGpadl/), []);
  assertEquals(calls(events, /UnmapGpadl/).length, 3, "the host did its part");
});

Deno.test("the teardown waits where the host did not unmap", async () => {
  await atDesk(async (desk) => {
    const { hAllocation } = await share(desk);
    await desk.context.machine.FailNext({ Call: "D3DKMTDestroyAllocation2", Status: STATUS.STATUS_NO_MEMORY });
    await desk.dxg.destroyAllocation({ hDevice: desk.hDevice, phAllocationList: [hAllocation] });
  }, { stuck: ["main waits in guest-umd DxgIoctl", "kmd callback waits in client VmbChannelDeleteGpadl"] });
});

Deno.test("the guest forgets a handle before the host hears of it: no second destroy gets through", async () => {
  const events = await atDesk(async (desk) => {
    const { context, dxg, hDevice } = desk;
    const { hAllocation } = await share(desk);
    await context.machine.FailNext({ Call: "VmbChannelSendSynchronousRequest", Status: STATUS.STATUS_NO_MEMORY });
    const ask = async () => (await dxg.destroyAllocation({ hDevice, phAllocationList: [hAllocation] })).result;
    assertEquals([await ask(), await ask()], [-ERRNO.ENOMEM, -ERRNO.EINVAL]);
    assertEquals((await dxg.lock({ hDevice, hAllocation })).result, -ERRNO.EINVAL);
  }, { guest: { mapsGuestPages: true } });
  assertEquals(calls(events, /DestroyAllocation2|FreeMdl/), ["guest FreeMdl"]);
});

Deno.test("a list that names an allocation twice is refused by the guest, which keeps it; the host never hears of it", async () => {
  const events = await atDesk(async (desk) => {
    const { dxg, hDevice } = desk;
    const { hAllocation } = await share(desk);
    const twice = { hDevice, phAllocationList: [hAllocation, hAllocation] };
    assertEquals((await dxg.destroyAllocation(twice)).result, -ERRNO.EINVAL);
    assertEquals((await dxg.destroyAllocation({ hDevice, phAllocationList: [hAllocation] })).result, 0);
  });
  assertEquals(calls(events, /DestroyAllocation2|DeleteGpadl/), [
    "umd#2 D3DKMTDestroyAllocation2",
    "client VmbChannelDeleteGpadl",
  ]);
});

Deno.test("several allocations in one call, and a resource that ends with all of its own", async () => {
  const events = await atDesk(async ({ context, dxg, hDevice }) => {
    const { value: one } = await context.guest.AllocateBuffer({ ByteCount: 4096 });
    const { value: two } = await context.guest.AllocateBuffer({ ByteCount: 8192 });
    const made = await dxg.createAllocation({
      hDevice,
      Flags: 1,
      pAllocationInfo2: [{ pSystemMem: one, Size: 4096 }, { pSystemMem: two, Size: 8192 }],
    });
    assert(made.hResource !== 0 && made.pAllocationInfo2.every(({ hAllocation }) => hAllocation !== 0));
    assertEquals((await dxg.destroyAllocation({ hDevice, hResource: made.hResource })).result, 0);
    assertEquals((await dxg.destroyAllocation({ hDevice, hResource: made.hResource })).result, -ERRNO.EINVAL);
  });
  assertEquals(calls(events, /DeleteGpadl|UnmapGpadl/).length, 4);
});

Deno.test("what the guest refuses itself never reaches the host", async () => {
  const events = await atDesk(async ({ context, dxg, hDevice }) => {
    const { value: buffer } = await context.guest.AllocateBuffer({ ByteCount: 4096 });
    const [memory, none] = [{ pSystemMem: buffer, Size: 4096 }, { Size: 4096 }];
    const ask = async (list: readonly { pSystemMem?: number; Size: number }[], Flags = 0) =>
      (await dxg.createAllocation({ hDevice, Flags, pAllocationInfo2: list })).result;
    assertEquals(await ask([]), -ERRNO.EINVAL, "none");
    assertEquals(await ask([memory, none]), -ERRNO.EINVAL, "some over memory, some not");
    assertEquals(await ask([none], 0x8), -ERRNO.EINVAL, "protected");
    assertEquals(await ask([none], 0x3), -ERRNO.EINVAL, "shared without NT handles");
    assertEquals(await ask(Array.from({ length: 1025 }, () => none)), -ERRNO.EINVAL, "too many");
    assertEquals(await ask([none, none], 0x10000), STATUS.STATUS_INVALID_PARAMETER | 0, "a raw status");
    const both = { hDevice, hResource: 1, phAllocationList: [1] };
    assertEquals((await dxg.destroyAllocation(both)).result, -ERRNO.EINVAL);
    assertEquals((await dxg.destroyAllocation({ hDevice })).result, -ERRNO.EINVAL);
    assertEquals((await dxg.destroyAllocation({ hDevice, phAllocationList: [77] })).result, -ERRNO.EINVAL);
  });
  assertEquals(calls(events, /Allocation2/), []);
});

Deno.test("a device's end unpins first, then tells the host of each allocation; a process's end takes everything along", async () => {
  const ends: Readonly<Record<string, (desk: Desk) => Promise<unknown>>> = {
    device: ({ dxg, hDevice }) => dxg.destroyDevice({ hDevice }),
    adapter: ({ dxg }) => dxg.closeAdapter(),
    process: ({ dxg }) => dxg.exitProcess(),
  };
  for (const [what, end] of Object.entries(ends)) {
    const events = await atDesk(async (desk) => {
      await share(desk);
      await end(desk);
      await desk.dxg.close();
    });
    const steps = calls(events, /Gpadl|Mdl|umd#2|ExitProcess/);
    assertEquals(steps.slice(steps.indexOf("guest FreeMdl")), [
      "guest FreeMdl",
      "umd#2 D3DKMTDestroyAllocation2",
      "server VmbChannelUnmapGpadl",
      "client VmbChannelDeleteGpadl",
      "umd#2 D3DKMTDestroyDevice",
      "umd#2 D3DKMTCloseAdapter",
      "machine ExitProcess",
    ], what);
  }
});
