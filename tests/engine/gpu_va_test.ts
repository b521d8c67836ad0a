// Map, reserve and free: each rule one line, refusals in the order of their precedence.

import { assertEquals } from "../support/assert.ts";
import { GpuRig, handle } from "./gpu_rig.ts";

const OK = "STATUS_SUCCESS";
const PENDING = "STATUS_PENDING";
const INVALID = "STATUS_INVALID_PARAMETER";
const NO_MEMORY = "STATUS_NO_MEMORY";
const FAULT = "STATUS_ACCESS_VIOLATION";
const [WRITE, EXECUTE, ZERO, NO_ACCESS, SYSTEM] = [0x1, 0x2, 0x4, 0x8, 0x10];
const UNIQUE = 1n << 63n;

Deno.test("map refuses in order, each rule hiding those after it", () => {
  const rig = new GpuRig();
  const x = rig.allocate(4);
  rig.map({ hAllocation: x, SizeInPages: 2, BaseAddress: 0x40000 });
  // Each step mends the first trouble; all that follow are still there.
  const broken = {
    Reserved0: 1,
    Protection: 0x20 | ZERO | NO_ACCESS,
    hAllocation: x,
    BaseAddress: 0x40001,
    SizeInPages: 0,
    OffsetInPages: 4,
  };
  assertEquals(rig.mapStatus(broken), INVALID);
  for (
    const mended of [
      { Reserved0: 0, Reserved1: 1 },
      { Reserved1: 0 },
      { Protection: SYSTEM },
      { Protection: ZERO | NO_ACCESS },
      { Protection: ZERO },
      { Protection: 0, hAllocation: null },
      { hAllocation: x },
      { BaseAddress: 0x41000 },
      { SizeInPages: 1 },
      { OffsetInPages: 3, SizeInPages: 2 },
      { BaseAddress: (1n << 48n) - 0x1000n, OffsetInPages: 0 },
      { BaseAddress: 0x41000 },
    ]
  ) assertEquals(rig.mapStatus(Object.assign(broken, mended)), INVALID);
  assertEquals(rig.mapStatus({ ...broken, SizeInPages: 1 }), PENDING);
  assertEquals(rig.vads(), ["vad#1 mapped"]);
});

Deno.test("map checks fields and protection bits", () => {
  const rig = new GpuRig();
  const x = rig.allocate(4);
  const map = (args: object) => rig.mapStatus({ hAllocation: x, SizeInPages: 1, ...args });
  assertEquals(map({ Reserved0: 1 }), INVALID);
  assertEquals(map({ Reserved1: 1 }), INVALID);
  assertEquals(map({ Protection: 0x20 }), INVALID);
  assertEquals(map({ Protection: UNIQUE }), INVALID);
  assertEquals(map({ Protection: SYSTEM }), INVALID);
  assertEquals(map({ Protection: SYSTEM | WRITE }), INVALID);
  assertEquals(map({ hAllocation: null, Protection: ZERO | NO_ACCESS }), INVALID);
  assertEquals(map({ Protection: ZERO }), INVALID);
  assertEquals(map({ Protection: NO_ACCESS }), INVALID);
  assertEquals(map({ hAllocation: null }), INVALID);
  assertEquals(map({ hAllocation: null, Protection: WRITE | EXECUTE }), INVALID);
  assertEquals(map({ Protection: 0 }), PENDING);
  assertEquals(map({ Protection: WRITE }), PENDING);
  assertEquals(map({ Protection: EXECUTE }), PENDING);
  assertEquals(map({ Protection: WRITE | EXECUTE }), PENDING);
  assertEquals(map({ hAllocation: null, Protection: ZERO }), PENDING);
  assertEquals(map({ hAllocation: null, Protection: NO_ACCESS }), PENDING);
  assertEquals(map({ hAllocation: null, Protection: ZERO | WRITE | EXECUTE }), PENDING);
});

Deno.test("map with va-rules=lenient takes Zero and NoAccess with an allocation, and does not use it", () => {
  const rig = new GpuRig({ "va-rules": "lenient", "map-size-zero": "allow" });
  const x = rig.allocate(4);
  assertEquals(
    rig.mapStatus({ hAllocation: x, SizeInPages: 9, Protection: NO_ACCESS, BaseAddress: 0x100000 }),
    PENDING,
  );
  assertEquals(rig.mapStatus({ hAllocation: x, SizeInPages: 0, Protection: NO_ACCESS }), INVALID);
  assertEquals(rig.mapStatus({ hAllocation: x, SizeInPages: 1, Protection: ZERO | NO_ACCESS }), INVALID);
  rig.complete();
  assertEquals(rig.destroy(x), OK);
  assertEquals(rig.vads(), ["vad#1 mapped"]);
});

Deno.test("map checks alignment; limits count only without a base", () => {
  const rig = new GpuRig();
  const x = rig.allocate(1);
  const map = (args: object) => rig.mapStatus({ hAllocation: x, SizeInPages: 1, ...args });
  assertEquals(map({ BaseAddress: 0x40800 }), INVALID);
  assertEquals(map({ MinimumAddress: 0x40800 }), INVALID);
  assertEquals(map({ MaximumAddress: 0x40800 }), INVALID);
  assertEquals(map({ BaseAddress: 0x41000, MinimumAddress: 0x50001, MaximumAddress: 0x60001 }), PENDING);
});

Deno.test("map checks size and the allocation's end", () => {
  const rig = new GpuRig();
  const x = rig.allocate(4);
  const map = (OffsetInPages: number | bigint, SizeInPages: number | bigint) =>
    rig.mapStatus({ hAllocation: x, OffsetInPages, SizeInPages });
  assertEquals(map(0, 0), INVALID);
  assertEquals(map(0, 5), INVALID);
  assertEquals(map(3, 2), INVALID);
  assertEquals(map(4, 1), INVALID);
  assertEquals(map((1n << 64n) - 1n, 2), INVALID);
  assertEquals(map(0, (1n << 64n) - 1n), INVALID);
  assertEquals(map(3, 1), PENDING);
  assertEquals(map(0, 4), PENDING);
});

Deno.test("map with map-size-zero=allow maps the rest of the allocation", () => {
  const rig = new GpuRig({ "map-size-zero": "allow" });
  const x = rig.allocate(4);
  assertEquals(rig.mapStatus({ hAllocation: x, OffsetInPages: 4 }), INVALID);
  assertEquals(rig.map({ hAllocation: x, OffsetInPages: 1 }).outs.VirtualAddress, 0x10000n);
  assertEquals(rig.map({ hAllocation: x }).outs.VirtualAddress, 0x13000n);
});

Deno.test("map stays inside the address space", () => {
  const rig = new GpuRig({ "va-bits": "32" });
  const x = rig.allocate(2);
  const map = (BaseAddress: number | bigint) => rig.mapStatus({ hAllocation: x, SizeInPages: 2, BaseAddress });
  assertEquals(map(0xfffff000), INVALID);
  assertEquals(map(0x100000000), INVALID);
  assertEquals(map(0xffff_ffff_ffff_f000n), INVALID);
  assertEquals(map(0xffffe000), PENDING);
  assertEquals(map(0x1000), PENDING);
});

Deno.test("map places lowest first, from 64 KB on, inside [Minimum, Maximum)", () => {
  const rig = new GpuRig();
  const x = rig.allocate(8);
  const map = (args: object) => rig.map({ hAllocation: x, SizeInPages: 2, ...args });
  assertEquals(map({}).outs.VirtualAddress, 0x10000n);
  assertEquals(map({}).outs.VirtualAddress, 0x12000n);
  assertEquals(map({ MinimumAddress: 0x15000, MaximumAddress: 0x17000 }).outs.VirtualAddress, 0x15000n);
  assertEquals(rig.mapStatus({ hAllocation: x, SizeInPages: 2, MaximumAddress: 0x15000 }), NO_MEMORY);
  assertEquals(rig.mapStatus({ hAllocation: x, SizeInPages: 1, MaximumAddress: 0x10000 }), NO_MEMORY);
  assertEquals(
    rig.mapStatus({ hAllocation: x, SizeInPages: 1, MinimumAddress: 0x20000, MaximumAddress: 0x20000 }),
    NO_MEMORY,
  );
  assertEquals(rig.mapStatus({ SizeInPages: (1n << 64n) - 1n, Protection: ZERO }), NO_MEMORY);
  assertEquals(map({ SizeInPages: 1, MaximumAddress: 0x15000 }).outs.VirtualAddress, 0x14000n);
  assertEquals(map({}).outs.VirtualAddress, 0x17000n);
  assertEquals(rig.free(0x12000, 0x2000), OK);
  assertEquals(map({}).outs.VirtualAddress, 0x12000n);
});

Deno.test("map refuses a range that is neither wholly free nor inside one obtained range", () => {
  const rig = new GpuRig();
  const x = rig.allocate(8);
  const map = (BaseAddress: number, SizeInPages: number, args = {}) =>
    rig.mapStatus({ hAllocation: x, SizeInPages, BaseAddress, ...args });
  assertEquals(map(0x40000, 2), PENDING);
  assertEquals(map(0x42000, 2), PENDING);
  assertEquals(map(0x41000, 2), INVALID);
  assertEquals(map(0x43000, 2), INVALID);
  assertEquals(map(0x3f000, 2), INVALID);
  assertEquals(map(0x3f000, 8), INVALID);
  assertEquals(map(0x41000, 1), PENDING);
  assertEquals(rig.reserveStatus({ BaseAddress: 0x50000, Size: 0x10000 }), OK);
  assertEquals(map(0x4f000, 2), INVALID);
  assertEquals(map(0x5f000, 2), INVALID);
  assertEquals(map(0x50000, 8), PENDING);
  assertEquals(rig.vads(), ["vad#1 mapped", "vad#2 mapped", "vad#3 reserved"]);
});

Deno.test("map with map-two-ranges=allow spans ranges; what was free becomes one new range", () => {
  const rig = new GpuRig({ "map-two-ranges": "allow" });
  const x = rig.allocate(8);
  const map = (BaseAddress: number, SizeInPages: number) => rig.mapStatus({ hAllocation: x, SizeInPages, BaseAddress });
  assertEquals(map(0x41000, 1), PENDING);
  assertEquals(map(0x43000, 1), PENDING);
  assertEquals(map(0x40000, 5), PENDING);
  assertEquals(rig.vads(), ["vad#1 mapped", "vad#2 mapped", "vad#3 mapped"]);
  assertEquals(rig.free(0x40000, 0x1000), OK);
  assertEquals(rig.free(0x42000, 0x1000), OK);
  assertEquals(rig.vadState(3), "mapped");
  assertEquals(rig.free(0x44000, 0x1000), OK);
  assertEquals(rig.vadState(3), "freed");
});

Deno.test("Zero and NoAccess go over reservations and free pages, not over a mapped range", () => {
  const rig = new GpuRig();
  const x = rig.allocate(8);
  const unbacked = (BaseAddress: number, Protection: number) =>
    rig.mapStatus({ SizeInPages: 1, BaseAddress, Protection });
  assertEquals(rig.mapStatus({ hAllocation: x, SizeInPages: 2, BaseAddress: 0x40000 }), PENDING);
  assertEquals(unbacked(0x40000, ZERO), INVALID);
  assertEquals(unbacked(0x41000, NO_ACCESS), INVALID);
  assertEquals(rig.reserveStatus({ BaseAddress: 0x50000, Size: 0x10000 }), OK);
  assertEquals(rig.mapStatus({ hAllocation: x, SizeInPages: 2, BaseAddress: 0x50000 }), PENDING);
  assertEquals(unbacked(0x50000, ZERO), PENDING);
  assertEquals(unbacked(0x50000, NO_ACCESS), PENDING);
  assertEquals(unbacked(0x60000, ZERO), PENDING);
  assertEquals(unbacked(0x60000, ZERO), INVALID);
  assertEquals(rig.mapStatus({ hAllocation: x, SizeInPages: 1, BaseAddress: 0x60000 }), PENDING);
});

Deno.test("a unique driver protection must be that of every mapping of the same allocation pages", () => {
  const rig = new GpuRig({ "physical-adapters": "2" });
  const x = rig.allocate(8);
  const map = (BaseAddress: number, OffsetInPages: number, DriverProtection: bigint) =>
    rig.mapStatus({ hAllocation: x, SizeInPages: 2, BaseAddress, OffsetInPages, DriverProtection });
  assertEquals(map(0x40000, 0, 5n), PENDING);
  assertEquals(map(0x42000, 0, 6n), PENDING);
  assertEquals(map(0x44000, 1, UNIQUE | 5n), INVALID);
  assertEquals(map(0, 1, UNIQUE | 5n), INVALID);
  assertEquals(map(0x44000, 2, UNIQUE | 5n), PENDING);
  assertEquals(map(0x46000, 3, UNIQUE | 5n), PENDING);
  assertEquals(map(0x48000, 3, UNIQUE | 6n), INVALID);
  assertEquals(map(0x48000, 3, 0n), INVALID);
  assertEquals(map(0x44000, 2, 0n), INVALID, "a unique mapping is not changed by mapping over it");
  assertEquals(rig.free(0x46000, 0x2000), OK);
  assertEquals(rig.free(0x44000, 0x2000), OK);
  assertEquals(map(0x44000, 2, 0n), PENDING);
  assertEquals(map(0x44000, 2, UNIQUE), PENDING, "one that is not unique is");
  assertEquals(map(0x44000, 3, UNIQUE | 1n), INVALID, "but a unique one is not");
});

Deno.test("a unique mapping may replace others only where it replaces all of the pages in common", () => {
  const rig = new GpuRig();
  const x = rig.allocate(4);
  const map = (BaseAddress: number, OffsetInPages: number, SizeInPages: number, DriverProtection: bigint) =>
    rig.mapStatus({ hAllocation: x, BaseAddress, OffsetInPages, SizeInPages, DriverProtection });
  assertEquals(map(0x40000, 0, 4, 0n), PENDING);
  assertEquals(map(0x40000, 1, 2, UNIQUE), INVALID, "page 2 would stay at 0x42000");
  assertEquals(map(0x41000, 0, 2, UNIQUE), INVALID, "page 0 would stay at 0x40000");
  assertEquals(map(0x41000, 1, 2, UNIQUE), PENDING);
});

Deno.test("a unique driver protection in a reservation is changed through NoAccess", () => {
  const rig = new GpuRig();
  const x = rig.allocate(1);
  rig.reserve({ BaseAddress: 0x40000, Size: 0x10000 });
  const map = (DriverProtection: bigint) =>
    rig.mapStatus({ hAllocation: x, SizeInPages: 1, BaseAddress: 0x40000, DriverProtection });
  assertEquals(map(UNIQUE | 1n), PENDING);
  assertEquals(map(UNIQUE | 2n), INVALID);
  assertEquals(rig.mapStatus({ SizeInPages: 1, BaseAddress: 0x40000, Protection: NO_ACCESS }), PENDING);
  assertEquals(map(UNIQUE | 2n), PENDING);
});

Deno.test("map works in the queue's process and adapter, for allocations of any of its devices", () => {
  const rig = new GpuRig();
  const second = handle(rig.ok("D3DKMTCreateDevice", { hAdapter: rig.adapter }).outs.hDevice);
  assertEquals(rig.mapStatus({ hAllocation: rig.allocate(1, second), SizeInPages: 1 }), PENDING);
  const other = new GpuRig({}, { model: rig.model, side: "umd#2" });
  assertEquals(rig.mapStatus({ hAllocation: other.allocate(1), SizeInPages: 1 }), INVALID);
  const adapter = handle(rig.ok("D3DKMTOpenAdapterFromLuid", { AdapterLuid: 2 }).outs.hAdapter);
  const elsewhere = handle(rig.ok("D3DKMTCreateDevice", { hAdapter: adapter }).outs.hDevice);
  assertEquals(rig.mapStatus({ hAllocation: rig.allocate(1, elsewhere), SizeInPages: 1 }), INVALID);
  assertEquals(other.map({ hAllocation: other.allocate(1), SizeInPages: 1 }).outs.VirtualAddress, 0x10000n);
});

Deno.test("map and reserve take fence values of their queue in turn, with paging=immediate none", () => {
  const rig = new GpuRig();
  const x = rig.allocate(1);
  const one = rig.map({ hAllocation: x, SizeInPages: 1 });
  assertEquals([one.status, one.outs.PagingFenceValue], [0x103, 1n]);
  const two = rig.reserve({ Size: 0x10000 });
  assertEquals([two.status, two.outs.PagingFenceValue], [0, 2n]);
  const at = rig.call("D3DKMTReserveGpuVirtualAddress", { hAdapter: rig.adapter, Size: 0x10000 });
  assertEquals([at.status, at.outs.PagingFenceValue], [0, 0n]);
  const immediate = new GpuRig({ paging: "immediate" });
  const done = immediate.map({ hAllocation: immediate.allocate(1), SizeInPages: 1 });
  assertEquals([done.status, done.outs.PagingFenceValue], [0, 0n]);
  assertEquals(immediate.access(0x10000), OK);
});

Deno.test("a refused map takes no fence value and makes no range", () => {
  const rig = new GpuRig();
  const x = rig.allocate(1);
  assertEquals(rig.mapStatus({ hAllocation: x, SizeInPages: 2 }), INVALID);
  assertEquals(rig.vads(), []);
  assertEquals(rig.map({ hAllocation: x, SizeInPages: 1 }).outs.PagingFenceValue, 1n);
  assertEquals(rig.vads(), ["vad#1 mapped"]);
});

Deno.test("reserve refuses in order: handles, type, alignment, size, space, overlap, no room", () => {
  const rig = new GpuRig({ "va-bits": "32" });
  const reserve = (args: object) => rig.reserveStatus({ Size: 0x10000, ...args });
  assertEquals(reserve({ hAdapter: rig.adapter }), INVALID);
  assertEquals(reserve({ hPagingQueue: null }), INVALID);
  assertEquals(reserve({ ReservationType: 2 }), INVALID);
  assertEquals(reserve({ ReservationType: 3 }), INVALID);
  assertEquals(reserve({ BaseAddress: 0x41000 }), INVALID);
  assertEquals(reserve({ MinimumAddress: 0x41000 }), INVALID);
  assertEquals(reserve({ MaximumAddress: 0x41000 }), INVALID);
  assertEquals(reserve({ Size: 0 }), INVALID);
  assertEquals(reserve({ Size: 0x1000 }), INVALID);
  assertEquals(reserve({ BaseAddress: 0xffff0000, Size: 0x20000 }), INVALID);
  assertEquals(reserve({ BaseAddress: 0x40000, MinimumAddress: 0x41000 }), OK);
  assertEquals(reserve({ BaseAddress: 0x40000 }), INVALID);
  assertEquals(reserve({ BaseAddress: 0x30000, Size: 0x20000 }), INVALID);
  assertEquals(reserve({ MinimumAddress: 0x40000, MaximumAddress: 0x50000 }), NO_MEMORY);
  assertEquals(reserve({ Size: 1n << 40n }), NO_MEMORY);
  assertEquals(reserve({ BaseAddress: 0xffff0000 }), OK);
  assertEquals(rig.vads(), ["vad#1 reserved", "vad#2 reserved"]);
});

Deno.test("reserve places in units of 64 KB, and not over a hole of less", () => {
  const rig = new GpuRig();
  const x = rig.allocate(1);
  assertEquals(rig.map({ hAllocation: x, SizeInPages: 1 }).outs.VirtualAddress, 0x10000n);
  assertEquals(rig.reserve({ Size: 0x10000 }).outs.VirtualAddress, 0x20000n);
  assertEquals(rig.free(0x28000, 0x1000), OK);
  assertEquals(rig.reserve({ Size: 0x10000 }).outs.VirtualAddress, 0x30000n);
  assertEquals(rig.mapStatus({ hAllocation: x, SizeInPages: 1, BaseAddress: 0x28000 }), PENDING);
});

Deno.test("a reservation's pages are its own state once its fence is reached", () => {
  const rig = new GpuRig();
  rig.reserve({ BaseAddress: 0x40000, Size: 0x10000, ReservationType: 1 });
  rig.reserve({ BaseAddress: 0x50000, Size: 0x10000, ReservationType: 0 });
  assertEquals(rig.access(0x40000), FAULT);
  rig.complete(1);
  assertEquals(rig.access(0x40000), OK);
  assertEquals(rig.access(0x4f000, { bytes: 0x1001 }), FAULT);
  rig.complete(2);
  assertEquals(rig.access(0x50000), FAULT);
});
