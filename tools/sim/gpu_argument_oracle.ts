// What an audit must say of the arguments of maps and reservations by themselves (V-13, V-15, V-16, V-17, V-18 of gpuva.md 7):
// each call alone, from what it asked for and was given. It must not know address spaces, nor how the audit judges.

import { hasSucceeded, type ModelOptions, SYMBOLS, type Value } from "../../src/api/mod.ts";
import type { Finding } from "../../src/audit/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";
import type { Disagreement } from "./simulated_world.ts";

const { Zero, NoAccess } = SYMBOLS.protection;
const PAGE = 4096n;
const UNITS: Readonly<Record<string, bigint>> = {
  D3DKMTMapGpuVirtualAddress: PAGE,
  D3DKMTReserveGpuVirtualAddress: 16n * PAGE,
};
/** The rules that are counted here. */
const RULES: ReadonlySet<string> = new Set([
  "gpuva-zero-with-allocation",
  "gpuva-misaligned",
  "gpuva-outside-space",
  "gpuva-dead-constraint",
  "gpuva-result-outside-constraint",
]);

/** Every difference between what the arguments break and what the audit found for certain. */
export function argumentTroubles(
  events: readonly TraceEvent[],
  { findings, options }: { readonly findings: readonly Finding[]; readonly options: ModelOptions },
): Disagreement[] {
  const told = new Set<string>();
  for (const { rule, event, verdict } of findings) {
    const { plan } = events[event - 1] ?? { plan: null };
    if (RULES.has(rule) && verdict === "certain" && UNITS[plan?.name ?? ""] !== undefined) {
      told.add(`${rule} @${event}`);
    }
  }
  const wanted = new Set<string>();
  for (const event of events) {
    const entered = event.kind === "leave" ? events[event.of - 1] : event;
    if (entered === undefined || (event.kind !== "call" && event.kind !== "leave")) continue;
    for (const rule of broken(entered, event, options)) wanted.add(`${rule} @${entered.event}`);
  }
  return [
    ...[...wanted].filter((each) => !told.has(each)).map((each) => disagreement(each, "misses")),
    ...[...told].filter((each) => !wanted.has(each)).map((each) => disagreement(each, "has")),
  ];
}

function disagreement(what: string, how: string): Disagreement {
  return { about: what.split(" ")[0] ?? "", message: `the audit ${how} ${what}` };
}

/** The rules that a map or a reservation breaks. */
function broken({ plan, ins }: TraceEvent, { outs, outcome }: TraceEvent, options: ModelOptions): string[] {
  const unit = UNITS[plan?.name ?? ""];
  // A call that a fault was planned for never happened.
  if (plan === null || unit === undefined || outcome === null || outcome.form === "refused") return [];
  const valueOf = (name: string) => ins[plan.ins.findIndex((param) => param.name === name)] ?? null;
  const [base, minimum, maximum] = ["BaseAddress", "MinimumAddress", "MaximumAddress"].map((name) =>
    bigint(valueOf(name))
  );
  if (base === undefined || minimum === undefined || maximum === undefined) return [];
  const size = unit === PAGE ? bigint(valueOf("SizeInPages")) * PAGE : bigint(valueOf("Size"));
  const isUnbacked = (bigint(valueOf("Protection")) & (Zero | NoAccess)) !== 0n;
  const limits = base === 0n ? [minimum, maximum] : [];
  const given = hasSucceeded(outcome) ? outs[plan.outs.findIndex(({ name }) => name === "VirtualAddress")] : undefined;
  const rules: (readonly [rule: string, isBroken: boolean])[] = [
    ["gpuva-zero-with-allocation", isUnbacked && valueOf("hAllocation") !== null],
    ["gpuva-misaligned", [base, size, ...limits].some((value) => value % unit !== 0n)],
    ["gpuva-outside-space", base !== 0n && base + size > 1n << BigInt(options["va-bits"])],
    ["gpuva-dead-constraint", base !== 0n && (minimum !== 0n || maximum !== 0n)],
    ["gpuva-result-outside-constraint", typeof given === "bigint" && !fits(given, { base, minimum, maximum, size })],
  ];
  return rules.flatMap(([rule, isBroken]) => isBroken ? [rule] : []);
}

function fits(
  given: bigint,
  { base, minimum, maximum, size }: Readonly<Record<"base" | "minimum" | "maximum" | "size", bigint>>,
): boolean {
  if (base !== 0n) return given === base;
  return given >= minimum && (maximum === 0n || given + size <= maximum);
}

function bigint(value: Value): bigint {
  return typeof value === "bigint" ? value : 0n;
}
