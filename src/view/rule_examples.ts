// The smallest scenario that fires each rule, and what mends it in one line. `explain` shows it; a test runs it.
// A rule without an example does not compile.

import { DXG_CHANNELS } from "../api/mod.ts";
import type { RuleName } from "../audit/mod.ts";
import { CHANNEL_EXAMPLES } from "./rule_examples_channel.ts";
import { GPU_EXAMPLES } from "./rule_examples_gpu.ts";
import { GPU_WORK_EXAMPLES } from "./rule_examples_gpu_work.ts";
import { PACKET_EXAMPLES } from "./rule_examples_packet.ts";
import { SAVE_EXAMPLES } from "./rule_examples_save.ts";

/** What stands before an example's lines. */
export type Setup = "nothing" | "channel" | "gpadl" | "gpu" | "shared" | "gpu-pv";

/** An example of a rule. */
export interface RuleExample {
  readonly given: Setup;
  /** Lines in call notation, after those of the setup. */
  readonly lines: readonly string[];
  /** What to do, in one sentence. */
  readonly fix: string;
  /** The model never answers so: only a trace of another system shows it. */
  readonly foreign?: true;
}

const EXAMPLES = {
  ...CHANNEL_EXAMPLES,
  ...GPU_EXAMPLES,
  ...GPU_WORK_EXAMPLES,
  ...PACKET_EXAMPLES,
  ...SAVE_EXAMPLES,
} satisfies Readonly<Record<RuleName, RuleExample>>;

/** The example of a rule. */
export function exampleOf(rule: RuleName): RuleExample {
  return EXAMPLES[rule];
}

const TYPE = "{11111111-0000-0000-0000-000000000001}";
const INSTANCE = "{22222222-0000-0000-0000-000000000001}";

const CHANNEL_LINES = channelLines(TYPE);
const CREATE_GPADL =
  "client VmbChannelCreateGpadlFromBuffer(Channel=$c, Buffer=$b, ByteCount=8192) -> ok {GpadlHandle=$g}";
const GPADL_LINES = [...CHANNEL_LINES, CREATE_GPADL];
const GPU_LINES = [
  "umd D3DKMTOpenAdapterFromLuid(AdapterLuid=1) -> ok {hAdapter=$a}",
  "umd D3DKMTCreateDevice(hAdapter=$a) -> ok {hDevice=$d}",
  "umd D3DKMTCreatePagingQueue(hDevice=$d) -> ok {hPagingQueue=$q}",
  "umd D3DKMTCreateContextVirtual(hDevice=$d) -> ok {hContext=$k}",
  "umd D3DKMTCreateAllocation2(hDevice=$d, pAllocationInfo2=[{Size=0x10000}]) -> ok {pAllocationInfo2=[{hAllocation=$x}]}",
  "umd D3DKMTCreateAllocation2(hDevice=$d, pAllocationInfo2=[{Size=0x10000}]) -> ok {pAllocationInfo2=[{hAllocation=$y}]}",
];

const SETUPS: Readonly<Record<Setup, { readonly says: string; readonly lines: readonly string[] }>> = {
  nothing: { says: "", lines: [] },
  channel: { says: "an open channel ($s server, $c client) and a guest's buffer $b of 2 pages", lines: CHANNEL_LINES },
  gpadl: {
    says: "an open channel ($s server, $c client) and the GPADL $g over the guest's buffer $b of 2 pages",
    lines: GPADL_LINES,
  },
  gpu: {
    says: "adapter $a, device $d, paging queue $q, context $k, allocations $x and $y of 16 pages",
    lines: GPU_LINES,
  },
  shared: {
    says: "the GPADL $g over the guest's buffer $b of 2 pages, and device $d with paging queue $q",
    lines: [...GPADL_LINES, ...GPU_LINES],
  },
  "gpu-pv": {
    says:
      "the open channel of a paravirtualised GPU ($s server, $c client) and the GPADL $g over the guest's buffer $b of 2 pages",
    lines: [...channelLines(DXG_CHANNELS.global), CREATE_GPADL],
  },
};

function channelLines(type: string): readonly string[] {
  return [
    "server VmbChannelAllocate(IsServer=true) -> ok {Channel=$s}",
    `server VmbServerChannelInitSetTargetInterfaceId(Channel=$s, InterfaceType=${type}, InterfaceInstance=${INSTANCE}) -> ok`,
    "server VmbChannelEnable(Channel=$s) -> ok",
    "server VmbChannelStart(Channel=$s)",
    "client VmbChannelAllocate(IsServer=false) -> ok {Channel=$c}",
    `client VmbClientChannelInitSetTargetPnp(Channel=$c, InterfaceType=${type}) -> ok`,
    "client VmbChannelEnable(Channel=$c) -> ok",
    "guest AllocateBuffer(ByteCount=8192) -> $b",
  ];
}

/** What an example takes for granted, in words; empty: nothing. */
export function setupText({ given }: RuleExample): string {
  return SETUPS[given].says;
}

/** The example as a scenario that runs by itself. */
export function exampleScenario({ given, lines }: RuleExample): string {
  return [...SETUPS[given].lines, ...lines, ""].join("\n");
}
