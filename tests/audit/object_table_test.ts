// The object table: owners, groups, ends that take along, siblings.
import { audit } from "../../src/audit/mod.ts";
import { JoinedCall } from "../../src/audit/join.ts";
import { ObjectTable } from "../../src/audit/object_table.ts";
import { findPlan, type Value } from "../../src/api/mod.ts";
import { KeptEvent } from "../../src/trace/mod.ts";
import { assertEquals } from "../support/assert.ts";
import { EventList, type Named, ref } from "../support/events.ts";
import { traceOf } from "./story.ts";

function answered(list: EventList): JoinedCall {
  const event = list.events.at(-1);
  const plan = event?.plan;
  if (event === undefined || plan == null) throw new RangeError("no call");
  const call = new JoinedCall(new KeptEvent(event), plan, 0);
  call.answer(new KeptEvent(event));
  return call;
}

function allocations(list: EventList, args: Named, outs: Named): JoinedCall {
  list.call("umd", "D3DKMTCreateAllocation2", { hDevice: ref("device", 1), ...args }, { outs });
  return answered(list);
}

function info(number: number): Value {
  return [{ hAllocation: ref("allocation", number), GpuVirtualAddress: 0n }];
}

Deno.test("ObjectTable ends a device's contexts and a resource's allocations with it", () => {
  const table = new ObjectTable();
  const list = new EventList();
  list.call("umd", "D3DKMTCreateDevice", { hAdapter: ref("adapter", 1) }, { outs: { hDevice: ref("device", 1) } });
  table.create(answered(list));
  const resource = ref("resource", 1);
  table.create(allocations(list, { Flags: 1 }, { hResource: resource, pAllocationInfo2: info(1) }));
  const added = table.create(
    allocations(list, { hResource: resource }, { hResource: resource, pAllocationInfo2: info(2) }),
  );
  assertEquals(added.map(({ kind }) => kind), ["allocation"]);
  table.create(allocations(list, {}, { hResource: null, pAllocationInfo2: info(3) }));
  const device = table.live(ref("device", 1));
  assertEquals(device === undefined ? 0 : table.childrenOf(device).length, 2);
  const ended = table.end(resource, 9);
  assertEquals(ended.map((object) => `${object.ref.kind}#${object.ref.number}`), [
    "allocation#1",
    "allocation#2",
    "resource#1",
  ]);
  assertEquals(table.end(ref("device", 1), 10).map((object) => object.ref.number), [3, 1]);
  assertEquals(table.find(ref("allocation", 1))?.endedAt, 9);
  assertEquals(table.end(ref("device", 1), 11), []);
});

Deno.test("ObjectTable knows how many of a birthplace were released, but not those of a process that died", () => {
  const table = new ObjectTable();
  const list = new EventList();
  for (const number of [1, 2, 3]) {
    list.call("umd", "D3DKMTOpenAdapterFromLuid", {}, { outs: { hAdapter: ref("adapter", number) } });
    table.create(answered(list));
  }
  table.end(ref("adapter", 2), 7);
  assertEquals(table.endProcess("umd#2", 8), []);
  assertEquals(table.endProcess("umd", 9).length, 2);
  const one = table.find(ref("adapter", 1));
  assertEquals(one === undefined ? null : table.siblingsOf(one), {
    created: 3,
    released: 1,
    example: { object: ref("adapter", 2), event: 7 },
  });
});

Deno.test("JoinedCall answers by type word", () => {
  const list = new EventList();
  list.call("umd", "D3DKMTMapGpuVirtualAddress", { SizeInPages: 3n, hAllocation: ref("allocation", 1) }, {
    outs: { VirtualAddress: 0x1000n },
  });
  const call = answered(list);
  assertEquals([call.in("pageCount"), call.out("gpuVa"), call.out("luid"), call.in("luid")], [
    3n,
    0x1000n,
    undefined,
    undefined,
  ]);
  assertEquals([call.object("allocation")?.number, call.object("adapter")], [1, null]);
  assertEquals(findPlan("AllocateBuffer")?.returned?.word, "buffer");
});

Deno.test("audit() reads a trace whose objects were made before it", () => {
  const list = new EventList();
  list.call("umd", "D3DKMTDestroyDevice", { hDevice: ref("device", 5) });
  list.call("guest", "FreeBuffer", { Buffer: ref("buffer", 5) });
  assertEquals(audit(traceOf(list.events)).pairing.buffer?.ends, 1);
});
