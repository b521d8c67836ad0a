// Lock2 and Unlock2 as the guest's driver does them: answered locally where there is an address, counted for windows alone,
// and unlocks of the program's own memory that reach a host which was never asked to lock (gpuva.md 5.8).

import { ERRNO } from "../../src/api/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { atDesk, calls, type Desk, share } from "./rig.ts";

async function videoMemory({ dxg, hDevice }: Desk): Promise<number> {
  const { pAllocationInfo2 } = await dxg.createAllocation({ hDevice, pAllocationInfo2: [{ Size: 8192 }] });
  return pAllocationInfo2[0]?.hAllocation ?? 0;
}

Deno.test("a window is locked at the host once and unlocked once, however often the program does", async () => {
  const events = await atDesk(async (desk) => {
    const { dxg, hDevice } = desk;
    const locks = { hDevice, hAllocation: await videoMemory(desk) };
    const first = await dxg.lock(locks);
    const second = await dxg.lock(locks);
    assertEquals([first.result, second.result], [0, 0]);
    assert(first.pData !== 0n);
    assertEquals(first.pData, second.pData);
    assertEquals([(await dxg.unlock(locks)).result, (await dxg.unlock(locks)).result], [0, 0]);
    assertEquals((await dxg.unlock(locks)).result, -ERRNO.EINVAL, "no address any more");
  });
  assertEquals(calls(events, /D3DKMT.*ock2/), ["umd#2 D3DKMTLock2", "umd#2 D3DKMTUnlock2"]);
});

Deno.test("the program's own memory is locked without the host, and every unlock goes to it: an unlock without a lock", async () => {
  const events = await atDesk(async (desk) => {
    const { dxg, hDevice } = desk;
    const { hAllocation, buffer } = await share(desk);
    const locks = { hDevice, hAllocation };
    assertEquals((await dxg.lock(locks)).pData, BigInt(buffer) << 12n, "the program's own pointer");
    assertEquals((await dxg.lock({ hDevice: 0, hAllocation })).result, 0, "the device is not looked at");
    assertEquals((await dxg.unlock(locks)).result, -ERRNO.EINVAL, "the host knows of no lock");
    assertEquals((await dxg.unlock(locks)).result, -ERRNO.EINVAL);
  });
  assertEquals(calls(events, /D3DKMT.*ock2/), ["umd#2 D3DKMTUnlock2", "umd#2 D3DKMTUnlock2"]);
});

Deno.test("two first locks at a time both reach the host, and one unlock is left over there", async () => {
  const counts = new Set<string>();
  for (let seed = 1; seed <= 12; seed += 1) {
    const events = await atDesk(async (desk) => {
      const { context, dxg, hDevice } = desk;
      const locks = { hDevice, hAllocation: await videoMemory(desk) };
      const racers = ["one", "two"].map((name) =>
        context.spawn(name, async (thread) => {
          assertEquals((await dxg.on(thread).lock(locks)).result, 0);
        })
      );
      for (const racer of racers) await racer;
      assertEquals([(await dxg.unlock(locks)).result, (await dxg.unlock(locks)).result], [0, 0]);
    }, { seed });
    counts.add(calls(events, /D3DKMT.*ock2/).join(" "));
  }
  assert(counts.has("umd#2 D3DKMTLock2 umd#2 D3DKMTLock2 umd#2 D3DKMTUnlock2"), [...counts].join(" | "));
});

Deno.test("what is no allocation, or of no device, is refused by the guest", async () => {
  const events = await atDesk(async (desk) => {
    const { dxg, hDevice } = desk;
    const hAllocation = await videoMemory(desk);
    assertEquals((await dxg.lock({ hDevice, hAllocation: hDevice })).result, -ERRNO.EINVAL);
    assertEquals((await dxg.lock({ hDevice: 0, hAllocation })).result, -ERRNO.EINVAL);
    assertEquals((await dxg.unlock({ hDevice, hAllocation })).result, -ERRNO.EINVAL);
  });
  assertEquals(calls(events, /ock2/), []);
});
