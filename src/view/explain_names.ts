// What pages of `explain` share: finding a rule by what people type, tables of calls, sources in words, columns.
// It must not know colours, nor any particular rule or call.

import { type CallPlan, CATALOGUE } from "../api/mod.ts";
import { type Rule, type RuleName, RULES } from "../audit/mod.ts";

/** A rule with its name. */
export interface NamedRule extends Rule {
  readonly name: RuleName;
}

/** Every rule, in the order of the table. */
export const RULE_LIST: readonly NamedRule[] = Object.entries<Rule>(RULES).flatMap(([name, rule]) =>
  isRuleName(name) ? [{ ...rule, name }] : []
);

function isRuleName(name: string): name is RuleName {
  return Object.hasOwn(RULES, name);
}

/** The rule of this name or code (`G-07`), letters in either case; null: there is none. */
export function findRule(text: string): NamedRule | null {
  const wanted = text.toLowerCase();
  return RULE_LIST.find(({ name, code }) => name === wanted || code.toLowerCase() === wanted) ?? null;
}

/** Whether the engine can make a call happen; a captured event is only ever seen. */
export function isModelled({ declaration }: CallPlan): boolean {
  return declaration.modelled !== false && declaration.observes === undefined;
}

/** Families of rules by the letter of their codes, in the order in which they are listed. */
export const FAMILIES: readonly { readonly letter: string; readonly title: string }[] = [
  { letter: "L", title: "channel lifetime" },
  { letter: "G", title: "GPADLs" },
  { letter: "P", title: "packets" },
  { letter: "Q", title: "quotas" },
  { letter: "S", title: "save and restore" },
  { letter: "I", title: "interrupt level" },
  { letter: "A", title: "interfaces" },
  { letter: "V", title: "GPU virtual addresses" },
  { letter: "X", title: "across both worlds" },
];

/** The table that a call stands in, as people call it. */
export function tableOf({ level, isCallback, declaration }: CallPlan): string {
  if (declaration.observes !== undefined) return "captured events";
  if (level === "machine") return "machine calls";
  if (level === "wire") return "VMBus messages";
  const library = level === "kmcl" ? "KMCL" : level === "d3dkmt" ? "GPU" : level;
  return `${library} ${isCallback ? "callbacks" : "calls"}`;
}

/** Plans by table, tables in the order of their first plan. */
export function byTable(plans: readonly CallPlan[]): ReadonlyMap<string, readonly CallPlan[]> {
  const tables = new Map<string, CallPlan[]>();
  for (const plan of plans) {
    const table = tables.get(tableOf(plan)) ?? [];
    table.push(plan);
    tables.set(tableOf(plan), table);
  }
  return tables;
}

const HEADER = "vmbuskernelmodeclientlibapi";
const KEYS: readonly (readonly [pattern: RegExp, page: string])[] = [
  [/\bfn:(\w+)/g, `page nc-${HEADER}-fn_vmb_$1`],
  [/\bevt:(\w+)/g, `page nc-${HEADER}-evt_vmb_$1`],
  [/\bns:client\b/g, `page ns-${HEADER}-_kmcl_client_interface_v1`],
  [/\bns:server\b/g, `page ns-${HEADER}-_kmcl_server_only_methods`],
  [/\bnf:init\b/g, `page nf-${HEADER}-vmb_channel_state_change_callbacks_init`],
  [/^header\b/g, `${HEADER}.h`],
];

/** A source with its citation keys spelt out as names of DDI pages. */
export function sourceText(source: string): string {
  return KEYS.reduce((text, [pattern, page]) => text.replace(pattern, page), source);
}

/** Rules whose clause stands on a call's page. */
export function rulesOf({ name, declaration }: CallPlan): readonly NamedRule[] {
  const pages = (declaration.source ?? "").toLowerCase().split(/[;,] */);
  return RULE_LIST.filter(({ source }) =>
    clausesOf(source).some((clause) =>
      clause === name.toLowerCase() || pages.some((page) => page === clause || page.endsWith(`-${clause}`))
    )
  );
}

/** Calls whose page a rule's clause stands on. */
export function callsOf(rule: NamedRule): readonly CallPlan[] {
  return CATALOGUE.filter((plan) => rulesOf(plan).some(({ name }) => name === rule.name));
}

function clausesOf(source: string): readonly string[] {
  return source.toLowerCase().split(/[;,(] */).map((clause) => clause.trim()).filter((clause) => clause !== "");
}

/** A label and what belongs to it, further lines aligned under the first. */
export function labelled(label: string, lines: readonly string[]): string[] {
  return lines.map((line, index) => `${(index === 0 ? label : "").padEnd(LABEL_WIDTH)}${line}`.trimEnd());
}

const LABEL_WIDTH = 10;

/** Words put together to lines of at most `width` columns; a longer word has a line of its own. */
export function wrapWords(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
