// Names of the DDI beside those that are declared: counts, flags, enumerations, structures of a call (gpuva.md 2.2 to 2.5).

import { CATALOGUE, NotationError, parseScenario, type StructDeclaration, STRUCTS } from "../../src/api/mod.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";

/** `NAME=SOURCE` of the arguments of one call as they are understood. */
function understood(call: string): string[] {
  const [statement] = parseScenario(`umd ${call}`).statements;
  assert(statement?.form === "call");
  return statement.args.map(({ name, value }) =>
    `${name}=${value.form === "integer" || value.form === "boolean" ? value.value : value.source}`
  );
}

Deno.test("a count that is given is taken, and cuts its array", () => {
  assertEquals(understood("D3DKMTEvict(NumAllocations=1, AllocationList=[1])"), ["AllocationList=[1]"]);
  const [statement] = parseScenario("umd D3DKMTEvict(NumAllocations=1, AllocationList=[1, 2])").statements;
  assert(statement?.form === "call");
  const list = statement.args[0]?.value;
  assertEquals(list?.form === "array" ? list.items.map(({ source }) => source) : [], ["1"]);
  assertEquals(understood("D3DKMTUpdateGpuVirtualAddress(NumOperations=0)"), []);
  assertEquals(understood("D3DKMTDestroyAllocation2(hResource=7, phAllocationList=null, AllocationCount=3)"), [
    "hResource=7",
  ]);
});

Deno.test("a count beyond its array, a flag that is none, and a value that no model has are told at their place", () => {
  for (
    const call of [
      "D3DKMTEvict(NumAllocations=2, AllocationList=[1])",
      "D3DKMTWaitForSynchronizationObjectFromCpu(Flags=2)",
      "D3DKMTWaitForSynchronizationObjectFromCpu(Flags=WaitAny, WaitAny=true)",
      "D3DKMTWaitForSynchronizationObjectFromCpu(hAsyncEvent=4)",
      "D3DKMTCreateSynchronizationObject2(Type=EVENT)",
      "D3DKMTEvict(NumAllocation=1, AllocationList=[1])",
    ]
  ) assertThrows(() => parseScenario(`umd ${call}`), NotationError, "line 1");
});

Deno.test("flags, enumerations, renamed arrays and a call's structure become declared parameters", () => {
  assertEquals(
    understood("D3DKMTWaitForSynchronizationObjectFromCpu(ObjectCount=0, Flags=WaitAny, hAsyncEvent=null)"),
    [
      "WaitAny=true",
    ],
  );
  assertEquals(
    understood(
      "D3DKMTCreateSynchronizationObject2(Info={Type=MONITORED_FENCE, Flags=NoSignal|NtSecuritySharing, MonitoredFence={InitialFenceValue=9}})",
    ),
    ["Type=5", "Flags=18", "InitialFenceValue=9"],
  );
  assertEquals(understood("D3DKMTCreatePagingQueue(Priority=BELOW_NORMAL)"), ["Priority=-1"]);
  assertEquals(understood("D3DKMTSignalSynchronizationObjectFromGpu(MonitoredFenceValueArray=[7])"), [
    "FenceValueArray=[7]",
  ]);
  assertEquals(understood("D3DKMTMakeResident(PriorityList=[1, 2])"), []);
});

Deno.test("every name of the DDI stands beside a declared call or structure, and hides none of its parameters", () => {
  const structs = Object.entries<StructDeclaration>(STRUCTS)
    .map(([name, { members, ddi }]) => ({ owner: name, own: Object.keys(members), ddi }));
  const calls = CATALOGUE.map(({ name, ins, declaration }) => (
    { owner: name, own: ins.map((each) => each.name), ddi: declaration.ddi }
  ));
  const named = [...calls, ...structs].flatMap(({ ddi, ...each }) =>
    ddi === undefined ? [] : [{ ...each, names: ddi }]
  );
  assert(named.length > 10, "hardly a call has any");
  for (const { owner, own, names } of named) {
    const { counts = {}, flags = {}, renamed = {}, symbols = {}, opened = [], unused = [], ignored = [] } = names;
    const added = [counts, flags, renamed].flatMap(Object.keys).concat(opened, unused, ignored);
    assertEquals(added.filter((name) => own.includes(name)), [], owner);
    const used = [...Object.values(counts), ...Object.values(renamed), ...Object.keys(symbols)]
      .concat(Object.values(flags).flatMap(Object.keys));
    assertEquals(used.filter((name) => !own.includes(name)), [], owner);
  }
});
