// A program that is a kernel-mode display driver: its handlers are found without any object that names them.

import { STATUS } from "../../src/api/mod.ts";
import { on } from "../../src/driver/mod.ts";
import { assertEquals } from "../support/assert.ts";
import { runEvents } from "./run.ts";

Deno.test("a kernel driver's handlers run for every process, and reserve inside", async () => {
  const reserved: bigint[] = [];
  let gone = 0;
  const run = await runEvents(async ({ kmd, umd, process, machine }) => {
    await kmd.DxgkInitialize({
      DriverInitializationData: {
        DxgkDdiCreateProcess: on<"DxgkDdiCreateProcess">(async ({ hDxgkProcess }, inside) => {
          const asked = { hDxgkProcess, SizeInBytes: 0x200000, Alignment: 0x200000 };
          reserved.push((await inside.kmd.DxgkCbReserveGpuVirtualAddressRange(asked)).StartVirtualAddress);
        }),
        DxgkDdiDestroyProcess: on<"DxgkDdiDestroyProcess">(() => void (gone += 1)),
      },
    });
    await umd.D3DKMTOpenAdapterFromLuid({ AdapterLuid: 1 });
    await process(2).D3DKMTOpenAdapterFromLuid({ AdapterLuid: 1 });
    await machine.ExitProcess({ Side: "umd#2" });
  });
  assertEquals([reserved, gone, run.stuck, run.hasThrown], [[0x8000000000n, 0x8000000000n], 1, [], false]);
});

Deno.test("a kernel driver that refuses a process refuses its first call", async () => {
  let status = -1;
  await runEvents(async ({ kmd, umd }) => {
    const refuse = on<"DxgkDdiCreateProcess">(() => STATUS.STATUS_NO_MEMORY);
    await kmd.DxgkInitialize({ DriverInitializationData: { DxgkDdiCreateProcess: refuse } });
    status = (await umd.D3DKMTOpenAdapterFromLuid({ AdapterLuid: 1 })).status;
  });
  assertEquals(status, STATUS.STATUS_NO_MEMORY);
});
