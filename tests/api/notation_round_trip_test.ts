// What is printed reads back: every declared call with any values, and the texts of the notation's own page.

import fc from "fast-check";
import {
  CATALOGUE,
  defaultOptions,
  evaluateArguments,
  matchArguments,
  matchOutcome,
  parseScenario,
  printCall,
  printOutcome,
  sidesOf,
  type Statement,
} from "../../src/api/mod.ts";
import { Engine } from "../../src/engine/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { arbitraryOutcome, arbitraryValue, mapEnvironment, withHandles } from "./notation_values.ts";

const ENGINE = new Engine(defaultOptions());
const SEED = { seed: 20240607, numRuns: 12 };

function last(text: string): Statement {
  const statement = parseScenario(text).statements.at(-1);
  assert(statement !== undefined);
  return statement;
}

const SOME_CALL: Readonly<Record<string, string>> = {
  client: "client VmbChannelEnable()",
  kmd: "machine AdvanceTime()",
};

Deno.test("notation round trip: printed arguments of every declared call evaluate and match to the same values", () => {
  for (const plan of CATALOGUE) {
    const side = sidesOf(plan.declaration.endpoint)[0] ?? "";
    const prefix = plan.isCallback ? `${SOME_CALL[side] ?? SOME_CALL.client}\n  callback ` : "";
    const ins = fc.tuple(...plan.ins.map((param) => arbitraryValue(param, "in")));
    fc.assert(
      fc.property(ins, (values) => {
        const printed = printCall({ side, plan, ins: values });
        const statement = last(prefix + printed);
        assert(statement.form === "call" || statement.form === "callback");
        const env = mapEnvironment();
        const evaluated = evaluateArguments(statement.args, plan, env);
        assertEquals(ENGINE.bind(plan, evaluated), values.map(withHandles), printed);
        assertEquals(matchArguments(statement.args, { plan, ins: values, env }), null, printed);
      }),
      SEED,
    );
  }
});

Deno.test("notation round trip: printed outcomes of every declared call match, and print the same again", () => {
  for (const plan of CATALOGUE.filter(({ isCallback }) => !isCallback)) {
    const side = sidesOf(plan.declaration.endpoint)[0] ?? "";
    const outs = fc.tuple(...plan.outs.map((param) => arbitraryValue(param, "out")));
    fc.assert(
      fc.property(arbitraryOutcome(plan), outs, (outcome, values) => {
        const printed = printOutcome({ plan, outcome, outs: values });
        const statement = last(`${side} ${plan.name}() -> ${printed} @1`);
        assert(statement.form === "call" && statement.label === "1");
        assertEquals(statement.outcome?.source, printed);
        assertEquals(matchOutcome(statement.outcome, { plan, outcome, outs: values }, mapEnvironment()), null, printed);
      }),
      SEED,
    );
  }
});

const GPU = `
!option physical-adapters=2
umd D3DKMTOpenAdapterFromLuid(AdapterLuid=1) -> STATUS_SUCCESS {hAdapter=$a}
umd D3DKMTCreateDevice(hAdapter=$a) -> STATUS_SUCCESS {hDevice=$d}
umd D3DKMTCreatePagingQueue(hDevice=$d, Priority=0, PhysicalAdapterIndex=0) -> STATUS_SUCCESS {hPagingQueue=$q, hSyncObject=$f}
umd D3DKMTCreateContextVirtual(hDevice=$d, NodeOrdinal=0, EngineAffinity=0) -> STATUS_SUCCESS {hContext=$c}
umd D3DKMTCreateAllocation2(hDevice=$d, pAllocationInfo2=[{Size=0x40000}]) -> STATUS_SUCCESS {pAllocationInfo2=[{hAllocation=$x}]}
umd D3DKMTMakeResident(hPagingQueue=$q, AllocationList=[$x]) -> ok {PagingFenceValue=$r}
umd D3DKMTMapGpuVirtualAddress(hPagingQueue=$q, hAllocation=$x, OffsetInPages=0, SizeInPages=64, Protection=Write) -> ok {VirtualAddress=$va, PagingFenceValue=$fence}
gpu CompletePaging(hPagingQueue=$q, FenceValue=$fence)
gpu GpuAccess(hContext=$c, VirtualAddress=$va+0x1000, ByteCount=4096, Access=Write) -> STATUS_SUCCESS
umd D3DKMTReserveGpuVirtualAddress(hPagingQueue=$q, BaseAddress=0x400000, Size=0x40000, ReservationType=ZERO) -> ok {VirtualAddress=$rva}
umd D3DKMTUpdateGpuVirtualAddress(hDevice=$d, hContext=$c, hFenceObject=$f2, FenceValue=5, Operations=[{OperationType=MAP, BaseAddress=0x400000, SizeInBytes=0x10000, hAllocation=$x}]) -> ok
umd D3DKMTSubmitCommand(BroadcastContext=[$c], Commands=$va, CommandLength=64, Accesses=[{VirtualAddress=$va, ByteCount=4096, Access=Read}]) -> STATUS_SUCCESS
umd D3DKMTFreeGpuVirtualAddress(hAdapter=$a, BaseAddress=$va, Size=0x40000) -> STATUS_SUCCESS
umd D3DKMTDestroyAllocation2(hDevice=$d, phAllocationList=[$x], Flags=0) -> STATUS_SUCCESS
`;

const UNMAP = `
# A server that forgets to unmap.
server VmbChannelAllocate(IsServer=true) -> STATUS_SUCCESS {Channel=$s}
server VmbServerChannelInitSetTargetInterfaceId(Channel=$s, InterfaceType={11111111-0000-0000-0000-000000000001}, InterfaceInstance={22222222-0000-0000-0000-000000000001}) -> STATUS_SUCCESS
server VmbChannelEnable(Channel=$s) -> STATUS_SUCCESS
server VmbChannelStart(Channel=$s) -> void
client VmbChannelAllocate(IsServer=false) -> STATUS_SUCCESS {Channel=$c}
client VmbClientChannelInitSetTargetPnp(Channel=$c, InterfaceType={11111111-0000-0000-0000-000000000001}) -> STATUS_SUCCESS
client VmbChannelEnable(Channel=$c) -> STATUS_SUCCESS
  callback server EvtVmbChannelOpened(Channel=$s) -> STATUS_SUCCESS
  callback client EvtVmbChannelOpened(Channel=$c) -> STATUS_SUCCESS
  callback server EvtVmbChannelStarted(Channel=$s)
  callback client EvtVmbChannelStarted(Channel=$c)
  callback server EvtVmbChannelPostStarted(Channel=$s)
  callback client EvtVmbChannelPostStarted(Channel=$c)
guest AllocateBuffer(ByteCount=8192) -> $b
client VmbChannelCreateGpadlFromBuffer(Channel=$c, Flags=0, Buffer=$b, ByteCount=8192) -> ok {GpadlHandle=$g}
server VmbChannelMapGpadl(Channel=$s, Flags=0, GpadlHandle=$g) -> ok {Mdl=$m}
host WriteMdl(Mdl=$m, Offset=0, Data=h'01020304')
client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g) -> blocked @delete
expect finding gpadl-mapping-leak object gpadl#1
expect finding gpadl-delete-deadlock at @delete
expect finding channel-leak object channel#1
expect finding channel-leak object channel#2
`;

Deno.test("parseScenario() reads the GPU example of the notation's page", () => {
  const { statements, options } = parseScenario(GPU);
  assertEquals(options["physical-adapters"], "2");
  assertEquals(statements.map(({ form }) => form), ["option", ...Array(14).fill("call")]);
});

Deno.test("parseScenario() reads the VMBus example of the notation's page, with depths and lines", () => {
  const { statements } = parseScenario(UNMAP, { file: "forgets.calls" });
  assertEquals(statements.map(({ depth }) => depth).join(""), `${"0".repeat(7)}${"1".repeat(6)}${"0".repeat(9)}`);
  assertEquals(statements.filter(({ form }) => form === "expectFinding").length, 4);
  assertEquals(statements.find(({ form }) => form === "expectFinding")?.line, 21);
  const blocked = statements.find((each) => each.form === "call" && each.label === "delete");
  assert(blocked?.form === "call" && blocked.outcome?.form === "blocked");
});
