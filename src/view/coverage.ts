// What is declared, what of it is modelled and audited, and what traces exercised: `explain --coverage`.
// It must not read traces: counts come in.

import type { CallPlan } from "../api/mod.ts";
import type { RuleName } from "../audit/mod.ts";
import { byTable, FAMILIES, isAudited, isModelled, RULE_LIST, wrapWords } from "./explain_names.ts";
import type { Paints } from "./findings.ts";

/** What one trace has: calls by name, findings by rule. */
export interface TraceCounts {
  readonly calls: ReadonlyMap<string, number>;
  readonly findings: ReadonlyMap<string, number>;
}

/** One table of calls. */
export interface TableCoverage {
  readonly table: string;
  readonly declared: number;
  /** Calls that the engine can make happen; 0 for captured events, which nobody wants it to. */
  readonly modelled: number;
  readonly notModelled: readonly string[];
  /** Calls that some trace has; null: no trace was given. */
  readonly exercised: number | null;
  /** Modelled calls and captured events that no trace has; empty where none was given. */
  readonly notExercised: readonly string[];
}

/** One family of rules. */
export interface FamilyCoverage {
  readonly family: string;
  readonly declared: number;
  readonly audited: number;
  readonly notAudited: readonly RuleName[];
  /** Rules of which some trace has a finding, with how many in all; null: no trace was given. */
  readonly found: ReadonlyMap<RuleName, number> | null;
}

/** What is covered. */
export interface Coverage {
  readonly traces: number;
  readonly tables: readonly TableCoverage[];
  readonly families: readonly FamilyCoverage[];
}

/** Counts what is declared against what is modelled, audited and, where traces are given, exercised. */
export function coverage(plans: readonly CallPlan[], traces: readonly TraceCounts[] | null): Coverage {
  const calls = traces === null ? null : sumOf(traces.map((trace) => trace.calls));
  const findings = traces === null ? null : sumOf(traces.map((trace) => trace.findings));
  return {
    traces: traces?.length ?? 0,
    tables: [...byTable(plans)].map(([table, list]) => tableCoverage(table, list, calls)),
    families: FAMILIES.map(({ letter, title }) => familyCoverage({ letter, title }, findings)),
  };
}

function sumOf(counts: readonly ReadonlyMap<string, number>[]): ReadonlyMap<string, number> {
  const sum = new Map<string, number>();
  for (const each of counts) for (const [name, count] of each) sum.set(name, (sum.get(name) ?? 0) + count);
  return sum;
}

function tableCoverage(
  table: string,
  plans: readonly CallPlan[],
  calls: ReadonlyMap<string, number> | null,
): TableCoverage {
  const isMade = ({ name }: CallPlan) => (calls?.get(name) ?? 0) > 0;
  const possible = plans.filter(({ declaration }) => declaration.modelled !== false);
  return {
    table,
    declared: plans.length,
    modelled: plans.filter(isModelled).length,
    notModelled: plans.filter(({ declaration }) => declaration.modelled === false).map(({ name }) => name),
    exercised: calls === null ? null : plans.filter(isMade).length,
    notExercised: calls === null ? [] : possible.filter((plan) => !isMade(plan)).map(({ name }) => name),
  };
}

function familyCoverage(
  { letter, title }: { readonly letter: string; readonly title: string },
  findings: ReadonlyMap<string, number> | null,
): FamilyCoverage {
  const rules = RULE_LIST.filter(({ code }) => code.startsWith(`${letter}-`));
  const found = rules.flatMap(({ name }) => {
    const count = findings?.get(name) ?? 0;
    return count === 0 ? [] : [[name, count] as const];
  });
  return {
    family: title,
    declared: rules.length,
    audited: rules.filter(isAudited).length,
    notAudited: rules.filter((rule) => !isAudited(rule)).map(({ name }) => name),
    found: findings === null ? null : new Map(found),
  };
}

const WIDTH = 96;

/** The coverage as text: a line a table and a family, with what is missing named under it. */
export function coverageLines(what: Coverage, paint: Paints): string[] {
  const { tables, families, traces } = what;
  const seen = traces === 0 ? "" : ` in ${traces} ${traces === 1 ? "trace" : "traces"}`;
  const width = Math.max(
    ...[...tables.map(({ table }) => table), ...families.map(({ family }) => family)].map(({ length }) => length),
  );
  return [
    paint.strong(`Calls declared, modelled, exercised${seen}`),
    ...tables.flatMap((table) => tableLines(table, { width, paint })),
    "",
    paint.strong(`Rules declared, audited, found${seen}`),
    ...families.flatMap((family) => familyLines(family, { width, paint })),
  ];
}

interface Layout {
  readonly width: number;
  readonly paint: Paints;
}

function tableLines(
  { table, declared, modelled, notModelled, exercised, notExercised }: TableCoverage,
  { width, paint }: Layout,
): string[] {
  const isSeenOnly = modelled === 0 && notModelled.length === 0;
  const counts = [`${declared} declared`, isSeenOnly ? "seen in captures only" : `${modelled} modelled`];
  if (exercised !== null) counts.push(`${exercised} exercised`);
  return [
    `  ${table.padEnd(width)}  ${counts.join(", ")}`,
    ...namesUnder("not modelled", notModelled, paint),
    ...namesUnder("not exercised", notExercised, paint),
  ];
}

function familyLines(
  { family, declared, audited, notAudited, found }: FamilyCoverage,
  { width, paint }: Layout,
): string[] {
  const counts = [`${declared} declared`, `${audited} audited`];
  if (found !== null) counts.push(`${found.size} found`);
  return [
    `  ${family.padEnd(width)}  ${counts.join(", ")}`,
    ...namesUnder("not audited", notAudited, paint),
    ...namesUnder("found", [...(found ?? [])].map(([rule, count]) => `${rule} (${count})`), paint),
  ];
}

function namesUnder(label: string, names: readonly string[], paint: Paints): string[] {
  if (names.length === 0) return [];
  const words = names.map((name, index) => index + 1 < names.length ? `${name},` : name);
  return wrapWords([`${label}:`, ...words], WIDTH).map((line) => paint.faint(`    ${line}`));
}
