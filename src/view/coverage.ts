// Every documented clause with its source, and which of them traces exercised: `explain --coverage`. Clauses come from the
// declarations and from the table of rules. It must not read traces: what they show comes in.

import { type CallPlan, type Clause, clauseName, CLAUSES, clausesOf, ORDER_CLAUSES } from "../api/mod.ts";
import { byTable, FAMILIES, type NamedRule, RULE_LIST, sourceText, wrapWords } from "./explain_names.ts";
import type { Paints } from "./findings.ts";

/** What one trace shows. */
export interface TraceShows {
  /** Clauses of calls, callbacks and orders, as `audit` tells them. */
  readonly clauses: ReadonlySet<string>;
  /** Names of calls and messages that it has. */
  readonly calls: ReadonlySet<string>;
  /** Rules that it has findings of. */
  readonly rules: ReadonlySet<string>;
}

/** A clause, and in how many traces it was exercised; null: no trace was given. */
export interface ClauseCoverage extends Clause {
  readonly traces: number | null;
}

/** The two worlds whose documents are covered as a whole. */
export type World = "kmcl" | "gpu";

/** Clauses that belong together. Percentages are whole, and 100 only where nothing is missing; null: no trace was given. */
export interface FamilyCoverage {
  readonly family: string;
  /** What it is part of; null: of neither, as the machine and what is only observed. */
  readonly world: World | null;
  /** Calls that the engine does not make happen yet; null: the family is not of calls. */
  readonly notModelled: readonly string[] | null;
  /** Clauses that a run of the model can show. */
  readonly reachable: number;
  readonly exercised: number | null;
  readonly percent: number | null;
  readonly clauses: readonly ClauseCoverage[];
}

/** What is covered. */
export interface Coverage {
  readonly traces: number;
  readonly families: readonly FamilyCoverage[];
  /** All families of KMCL together. */
  readonly kmcl: WorldCoverage;
  /** All families of the GPU together: its calls and callbacks, and the rules that are about it. */
  readonly gpu: WorldCoverage;
}

/** A world's families together. */
export interface WorldCoverage extends Pick<FamilyCoverage, "reachable" | "exercised" | "percent"> {
  readonly notModelled: number;
}

interface Family extends Pick<FamilyCoverage, "family" | "world" | "notModelled"> {
  readonly clauses: readonly Clause[];
}

/** Holds every clause against what traces show; null: no trace was given. */
export function coverage(plans: readonly CallPlan[], shown: readonly TraceShows[] | null): Coverage {
  const families = [...callFamilies(plans), ORDERS, ...ruleFamilies()].map((family) => covered(family, shown));
  const ofWorld = (wanted: World) => together(families.filter(({ world }) => world === wanted));
  return { traces: shown?.length ?? 0, families, kmcl: ofWorld("kmcl"), gpu: ofWorld("gpu") };
}

function together(families: readonly FamilyCoverage[]): WorldCoverage {
  const reachable = families.reduce((sum, family) => sum + family.reachable, 0);
  const isShown = families.every(({ exercised }) => exercised !== null);
  const exercised = isShown ? families.reduce((sum, family) => sum + (family.exercised ?? 0), 0) : null;
  const notModelled = families.reduce((sum, family) => sum + (family.notModelled?.length ?? 0), 0);
  return { reachable, exercised, percent: percentOf(exercised, reachable), notModelled };
}

function callFamilies(plans: readonly CallPlan[]): Family[] {
  return [...byTable(plans)].map(([family, list]) => ({
    family,
    world: list.some(({ level }) => level === "kmcl") ? "kmcl" : isOfGpu(list) ? "gpu" : null,
    notModelled: list.some(isMade)
      ? list.filter(({ declaration }) => declaration.modelled === false).map(({ name }) => name)
      : null,
    clauses: list.flatMap(clausesOf),
  }));
}

/** What Windows logs of the GPU is its too, but no clause of a document. */
function isOfGpu(list: readonly CallPlan[]): boolean {
  return list.some(({ level, declaration }) => level === "d3dkmt" && declaration.observes === undefined);
}

/** Somebody can make it: messages and captured events are only ever seen. */
function isMade({ level, declaration }: CallPlan): boolean {
  return level !== "wire" && declaration.observes === undefined;
}

const ORDERS: Family = { family: "KMCL callback orders", world: "kmcl", notModelled: null, clauses: ORDER_CLAUSES };
/** Families of rules that are not about KMCL alone. */
const GPU_RULES: ReadonlySet<string> = new Set(["V", "X"]);

function ruleFamilies(): Family[] {
  return FAMILIES.map(({ letter, title }) => ({
    family: `rules: ${title}`,
    world: GPU_RULES.has(letter) ? "gpu" : "kmcl",
    notModelled: null,
    clauses: RULE_LIST.filter(({ code }) => code.startsWith(`${letter}-`)).map(ruleClause),
  }));
}

const FIRES = "found";

function ruleClause(rule: NamedRule): Clause {
  const unreachable = rule.unreachable ?? null;
  return { of: rule.name, text: FIRES, source: rule.source, unreachable };
}

function covered(
  { family, world, notModelled, clauses }: Family,
  shown: readonly TraceShows[] | null,
): FamilyCoverage {
  const counted = clauses.map((clause) => ({
    ...clause,
    traces: shown === null ? null : shown.filter((trace) => shows(trace, clause)).length,
  }));
  const possible = counted.filter(({ unreachable }) => unreachable === null);
  const exercised = shown === null ? null : possible.filter(({ traces }) => traces !== 0).length;
  const percent = percentOf(exercised, possible.length);
  return { family, world, notModelled, reachable: possible.length, exercised, percent, clauses: counted };
}

function shows({ clauses, calls, rules }: TraceShows, { of, text }: Clause): boolean {
  if (text === FIRES) return rules.has(of);
  return text === CLAUSES.seen ? calls.has(of) : clauses.has(clauseName(of, text));
}

function percentOf(part: number | null, whole: number): number | null {
  if (part === null) return null;
  return whole === 0 ? 100 : Math.floor(100 * part / whole);
}

const WIDTH = 100;

/** The coverage as text: without traces every clause, with traces a line a family and what none of them exercised. */
export function coverageLines(what: Coverage, paint: Paints): string[] {
  const { families, traces, kmcl, gpu } = what;
  const width = Math.max(...families.map(({ family }) => family.length));
  const head = traces === 0
    ? `${sumOf(families)} documented clauses; name a trace, or a folder of traces, to see which of them it exercised`
    : `Documented clauses exercised in ${traces} ${traces === 1 ? "trace" : "traces"}`;
  return [
    paint.strong(head),
    ...families.flatMap((family) => [
      ...(traces === 0 ? ["", paint.strong(family.family)] : []),
      ...(traces === 0 ? [] : [familyLine(family, width)]),
      ...clauseLines(family, paint),
    ]),
    "",
    totalLine("KMCL", kmcl, paint),
    totalLine("GPU", gpu, paint),
  ];
}

function totalLine(name: string, world: WorldCoverage, paint: Paints): string {
  const isWhole = world.notModelled === 0 && (world.percent ?? 100) === 100;
  const total = `${name}: ${countText(world)}, ${world.notModelled} calls not modelled`;
  return isWhole ? paint.strong(total) : paint.warn(total);
}

function sumOf(families: readonly FamilyCoverage[]): number {
  return families.reduce((sum, { clauses }) => sum + clauses.length, 0);
}

function countText(
  { reachable, exercised, percent }: Pick<FamilyCoverage, "reachable" | "exercised" | "percent">,
): string {
  if (exercised === null) return `${reachable} clauses`;
  return `${String(percent).padStart(3)} %, ${exercised} of ${reachable} clauses`;
}

function familyLine(family: FamilyCoverage, width: number): string {
  const { notModelled } = family;
  const unmade = notModelled === null ? "" : `, ${notModelled.length} calls not modelled`;
  return `  ${family.family.padEnd(width)}  ${countText(family)}${unmade}`;
}

/** A paragraph for each call that has clauses to name, its source with it. */
function clauseLines({ clauses, notModelled }: FamilyCoverage, paint: Paints): string[] {
  const named = clauses.filter(({ traces, unreachable }) => traces === null || traces === 0 || unreachable !== null);
  const lines: string[] = [];
  if (notModelled !== null && notModelled.length > 0) lines.push(...paragraph("not modelled:", notModelled, paint));
  const groups = new Map<string, ClauseCoverage[]>();
  for (const clause of named) groups.set(clause.of, [...groups.get(clause.of) ?? [], clause]);
  for (const [of, list] of groups) {
    const [first] = list;
    const texts = list.map(({ text, unreachable }) => unreachable === null ? text : `${text} (never: ${unreachable})`);
    if (first !== undefined) lines.push(...paragraph(`${of} (${sourceText(first.source)}):`, texts, paint));
  }
  return lines;
}

function paragraph(label: string, texts: readonly string[], paint: Paints): string[] {
  const words = texts.map((text, index) => index + 1 < texts.length ? `${text};` : text);
  return wrapWords([label, ...words.flatMap((each) => each.split(" "))], WIDTH)
    .map((line, index) => paint.faint(`${index === 0 ? "    " : "      "}${line}`));
}
