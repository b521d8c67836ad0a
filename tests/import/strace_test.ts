// strace of /dev/dxg as an import: lines of every shape, argument bytes that become calls, and what is wrong by its line.

import fc from "fast-check";
import { audit } from "../../src/audit/mod.ts";
import { isRef, STATUS } from "../../src/api/mod.ts";
import { detectFormat, type Imported, importStrace } from "../../src/import/mod.ts";
import { bytesSource, openTrace, type TraceEvent, TraceWriter, validate } from "../../src/trace/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { sampleBytes } from "../support/shared_sample.ts";
import { dump, ioctlLine, OPEN_DXG } from "../support/strace_writer.ts";

const [ADAPTER, DEVICE, QUEUE, FENCE, CONTEXT] = [0x40000040, 0x80000080, 0x400000c0, 0x40000100, 0x40000140];
const ALLOCATION = 0x40000180;

const MAP = { hPagingQueue: QUEUE, hAllocation: ALLOCATION, SizeInPages: 3n, Protection: 1n };
const STORY: readonly string[] = [
  OPEN_DXG,
  ioctlLine("OpenAdapterFromLuid", { AdapterLuid: 7n }, { after: { hAdapter: ADAPTER } }),
  ioctlLine("CreateDevice", { hAdapter: BigInt(ADAPTER) }, { after: { hDevice: DEVICE } }),
  ioctlLine("CreatePagingQueue", { hDevice: DEVICE, Priority: -1 }, {
    after: { hPagingQueue: QUEUE, hSyncObject: FENCE, FenceValueCPUVirtualAddress: 0x7e00_0000_1000n },
  }),
  ioctlLine("CreateContextVirtual", { hDevice: DEVICE, NodeOrdinal: 2 }, { after: { hContext: CONTEXT } }),
  ioctlLine("MapGpuVirtualAddress", MAP, {
    after: { VirtualAddress: 0x12_3400_0000n, PagingFenceValue: 5n },
    result: "259",
  }),
  ioctlLine("ReserveGpuVirtualAddress", { hPagingQueue: ADAPTER, Size: 0x10000n, ReservationType: 1 }, {
    after: { VirtualAddress: 0x5_0000n },
  }),
  ioctlLine("SubmitCommand", {
    Commands: 0x12_3400_0000n,
    CommandLength: 64,
    BroadcastContextCount: 1,
    BroadcastContext: [CONTEXT],
  }),
  ioctlLine("Lock2", { hDevice: DEVICE, hAllocation: ALLOCATION }, { after: { pData: 0x7e00_0000_2000n } }),
  ioctlLine("MapGpuVirtualAddress", { ...MAP, BaseAddress: 5n }, { result: "-1 EINVAL (Invalid argument)" }),
  ioctlLine("GetDeviceState", { hDevice: DEVICE, StateType: 1 }, { after: { words: [1, 0, 0] } }),
  ioctlLine("FreeGpuVirtualAddress", { hAdapter: ADAPTER, BaseAddress: 0x12_3400_0000n, Size: 0x3000n }),
  ioctlLine("DestroyDevice", { handle: DEVICE }),
  ioctlLine("CloseAdapter", { handle: ADAPTER }),
  "+++ exited with 0 +++",
];

/** What an event says, by its parameters' names. */
function named({ plan, ins, outs }: TraceEvent): Record<string, unknown> {
  const params = [...(plan?.ins ?? []).map((param, index) => [param.name, ins[index]] as const)];
  const answers = outs.length === 0 ? [] : (plan?.outs ?? []).map((param, index) => [param.name, outs[index]] as const);
  return Object.fromEntries(
    [...params, ...answers].map(([name, value]) => [name, isRef(value) ? `${value.kind}#${value.number}` : value]),
  );
}

function eventsOf(imported: Imported): readonly TraceEvent[] {
  return [...imported.events];
}

Deno.test("argument bytes become the calls that a program made, with objects for handles", () => {
  const imported = importStrace(STORY);
  const events = eventsOf(imported);
  assertEquals(events.map(({ plan }) => plan?.name.slice(6)), [
    "OpenAdapterFromLuid",
    "CreateDevice",
    "CreatePagingQueue",
    "CreateContextVirtual",
    "MapGpuVirtualAddress",
    "ReserveGpuVirtualAddress",
    "SubmitCommand",
    "Lock2",
    "MapGpuVirtualAddress",
    "GetDeviceState",
    "FreeGpuVirtualAddress",
    "DestroyDevice",
    "CloseAdapter",
  ]);
  const [open, device, queue, , map, reserve, submit, lock, failed, state] = events.map(named);
  assertEquals([open?.["AdapterLuid"], open?.["hAdapter"]], [7n, "adapter#1"]);
  assertEquals([device?.["hAdapter"], device?.["hDevice"]], ["adapter#1", "device#1"]);
  assertEquals([queue?.["Priority"], queue?.["hSyncObject"]], [-1, "syncObject#1"]);
  assertEquals([map?.["hPagingQueue"], map?.["hAllocation"], map?.["SizeInPages"]], [
    "pagingQueue#1",
    "allocation#1",
    3n,
  ]);
  assertEquals([map?.["VirtualAddress"], map?.["PagingFenceValue"]], [0x12_3400_0000n, 5n]);
  assertEquals(events[4]?.outcome, { form: "status", status: STATUS.STATUS_PENDING });
  assertEquals([reserve?.["hAdapter"], reserve?.["hPagingQueue"]], ["adapter#1", null], "the union's handle is known");
  assertEquals([submit?.["CommandLength"], lock?.["pData"]], [64, 0x7e00_0000_2000n]);
  assertEquals(events[8]?.outcome, { form: "status", status: STATUS.STATUS_INVALID_PARAMETER });
  assertEquals([failed?.["BaseAddress"], events[8]?.outs, state?.["ExecutionState"]], [5n, [], 1]);
  assertEquals([1, 5, 13].map((event) => imported.report.offsetOf(event)), [2, 6, 14]);
  assertEquals([imported.header.losses, imported.report.undecodable, imported.report.otherRecords], [[], [], 2]);
});

Deno.test("the trace can be written, read, validated and audited; a second free is found, on its line", () => {
  const free = STORY.find((line) => line.includes("0x47, 0x20, 0x18")) ?? "";
  const imported = importStrace([...STORY.slice(0, -3), free, ...STORY.slice(-3)]);
  const bytes: Uint8Array[] = [];
  const writer = new TraceWriter({ write: (chunk) => void bytes.push(chunk.slice()) }, imported.header);
  for (const event of imported.events) writer.event(event);
  writer.finish(imported.end);
  const trace = openTrace(bytesSource(new Uint8Array(bytes.flatMap((chunk) => [...chunk]))));
  assertEquals([...trace.events()], eventsOf(imported));
  validate(trace);
  const { findings } = audit(trace);
  const found = findings.find(({ rule }) => rule === "gpuva-double-free");
  assertEquals(imported.report.offsetOf(found?.event ?? 0), 13, findings.map(({ message }) => message).join("; "));
});

Deno.test("lines of every shape: processes, times, cut calls, durations, raw numbers, printed paths", () => {
  const map = ioctlLine("MapGpuVirtualAddress", MAP, { result: "0x103" });
  const free = ioctlLine("FreeGpuVirtualAddress", { hAdapter: ADAPTER, Size: 4096n });
  const cut = free.indexOf(", _IOC") + 2;
  const imported = importStrace([
    `7 23:59:59.900000 ${OPEN_DXG} <0.000010>`,
    `[pid     7] 23:59:59.950000 ${map} <0.000012>`,
    `[pid     8] 23:59:59.960000 ${free.slice(0, cut)} <unfinished ...>`,
    `[pid     7] 00:00:00.050000 ${map.replace(/_IOC\(.*?\)/, "0xc068470c")}`,
    `[pid     8] 00:00:00.150000 <... ioctl resumed>${free.slice(cut)}`,
    `[pid     8] 00:00:00.200000 ${map.replace("ioctl(3,", "ioctl(9</dev/dxg>,")}`,
    "[pid     8] 00:00:00.300000 --- SIGCHLD {si_signo=SIGCHLD} ---",
  ]);
  const events = eventsOf(imported);
  assertEquals(events.map(({ actor, timeNs }) => [actor, timeNs]), [
    ["7", 50_000_000n],
    ["7", 150_000_000n],
    ["8", 250_000_000n],
    ["8", 300_000_000n],
  ]);
  assertEquals([1, 2, 3, 4].map((event) => imported.report.offsetOf(event)), [2, 4, 5, 6]);
  assertEquals(imported.report.undecodable, []);
});

Deno.test("a file counts only while the log shows it to be /dev/dxg, and 0x47 is other drivers' too", () => {
  const map = ioctlLine("MapGpuVirtualAddress", MAP);
  const imported = importStrace([
    map,
    'openat(AT_FDCWD, "/dev/other", O_RDWR) = 3',
    map,
    OPEN_DXG,
    map,
    "ioctl(3, TCGETS, 0x7ffc) = -1 ENOTTY (Inappropriate ioctl for device)",
    "ioctl(3, _IOC(_IOC_READ, 0x64, 0x1, 0x8), 0x7ffc) = 0",
    "close(3) = 0",
    map,
  ]);
  assertEquals(eventsOf(imported).length, 1);
  assertEquals(imported.report.skipped.map(({ count }) => count), [3]);
  assertEquals(imported.report.undecodable, []);
});

Deno.test("what is wrong is told by its line, and costs nothing else", () => {
  const map = ioctlLine("MapGpuVirtualAddress", MAP);
  const imported = importStrace([
    OPEN_DXG,
    map.replace(/\\x01/, "\\xzz"),
    map.replace(/"\) =/, '"...) ='),
    "ioctl(3, _IOC(_IOC_READ|_IOC_WRITE, 0x47, 0xc, 0x68), 0x7ffdee7d0690) = 259",
    map.replace(/(\\x[\da-f]{2}){4}"\)/, '")'),
    "?? what is this",
    ioctlLine("MakeResident", { hPagingQueue: QUEUE, NumAllocations: 2, AllocationList: 0x7fff_0000n }),
    "ioctl(3, _IOC(_IOC_READ|_IOC_WRITE, 0x47, 0xc, 0x60), 0x7ffdee7d0690) = -1 ENOTTY (Inappropriate ioctl)",
    `[pid 5] ${map.slice(0, 40)} <unfinished ...>`,
    map,
    ioctlLine("QueryStatistics", {}).replace('"\\x00\\x00\\x00\\x00"', dump(new Uint8Array(808))),
    map.replace("= 0", "= ?"),
    map,
  ]);
  assertEquals(eventsOf(imported).map(({ event }) => imported.report.offsetOf(event)), [10, 13]);
  assertEquals(imported.report.undecodable.map(({ firstOffset }) => firstOffset), [2, 3, 5, 6, 7, 12, 9]);
  const messages = imported.report.undecodable.map(({ message }) => message);
  assert(messages[1]?.includes("line 3: its dump is cut short") === true, messages[1]);
  assert(messages[2]?.includes("the argument has 100 bytes, wanted 104") === true, messages[2]);
  assert(messages[4]?.includes("the 2 elements of AllocationList are not in the log") === true, messages[4]);
  assertEquals(imported.header.losses.length, 7);
  assertEquals(imported.report.unknown, [{
    id: 12,
    name: "0xc060470c (MapGpuVirtualAddress of another size)",
    count: 1,
  }]);
  assertEquals(imported.report.skipped.map(({ name }) => name), [
    "MapGpuVirtualAddress without its bytes",
    "QueryStatistics",
  ]);
  assert(imported.report.notes[0]?.startsWith("1 ioctls") === true);
});

Deno.test("damage at random neither throws nor loses other lines, and every line is counted once", () => {
  const text = STORY.join("\n");
  fc.assert(
    fc.property(fc.nat(STORY.length - 1), fc.nat(1000), fc.string({ maxLength: 6 }), (line, at, put) => {
      const lines = [...STORY];
      const old = lines[line] ?? "";
      const place = at % Math.max(1, old.length);
      lines[line] = (old.slice(0, place) + put + old.slice(place + put.length)).replaceAll("\n", " ");
      const { report, events } = importStrace(lines);
      const sum = [report.imported, report.skipped, report.unknown, report.undecodable].flat()
        .reduce((total, { count }) => total + count, report.otherRecords);
      const blank = lines.filter((each) => each.trim() === "").length;
      assertEquals(sum + blank, STORY.length);
      if (line !== 0) assert([...events].length >= 12);
    }),
    { numRuns: 400, seed: 61 },
  );
  assertEquals(detectFormat(new TextEncoder().encode(text)), "strace");
});

const SAMPLE = sampleBytes("dxg-strace.txt");

Deno.test({
  name: "a real log without bytes is known by its content, counted, and gives no calls (shared sample)",
  ignore: SAMPLE === undefined,
  fn() {
    assertEquals(detectFormat(SAMPLE ?? new Uint8Array(0)), "strace");
    const { report, events, header } = importStrace(new TextDecoder().decode(SAMPLE).split("\n"));
    assertEquals([[...events].length, header.losses], [0, []]);
    const counts = Object.fromEntries(report.skipped.map(({ name, count }) => [name, count]));
    assertEquals(counts, {
      "ioctl of a file that the log does not show to be /dev/dxg": 9,
      "EnumAdapters2 without its bytes": 2,
      "QueryAdapterInfo without its bytes": 2,
    });
  },
});
