// Pages of `explain`: a rule with its clause, example and cure; the index of rules and calls. All from tables.
// It must not know where the text goes: colours come in as functions.

import { CATALOGUE } from "../api/mod.ts";
import {
  byTable,
  callsOf,
  FAMILIES,
  findRule,
  labelled,
  type NamedRule,
  RULE_LIST,
  sourceText,
  wrapWords,
} from "./explain_names.ts";
import type { Paints } from "./findings.ts";
import { exampleOf, setupText } from "./rule_examples.ts";

const WIDTH = 100;

/** The page of a rule by name or code (`gpadl-leak`, `G-07`), or null where there is none such. */
export function explainRule(rule: string, paint: Paints): string[] | null {
  const found = findRule(rule);
  if (found === null) return null;
  return [...headOf(found, paint), "", ...exampleLines(found, paint), ...relatedLines(found)];
}

function headOf(rule: NamedRule, paint: Paints): string[] {
  const { name, code, severity, doc, source } = rule;
  const colour = severity === "note" ? paint.faint : severity === "warning" ? paint.warn : paint.bad;
  return [
    `${paint.strong(name)} (${code}): ${colour(severity)}`,
    doc,
    "",
    ...labelled("source", [sourceText(source)]),
  ];
}

function exampleLines(rule: NamedRule, paint: Paints): string[] {
  const example = exampleOf(rule.name);
  const given = setupText(example);
  const origin = example.foreign === true ? ["# the model never answers so; a trace of another system may"] : [];
  const remarks = [...(given === "" ? [] : [`# given: ${given}`]), ...origin].map(paint.faint);
  return [
    ...labelled("example", [
      ...remarks,
      ...example.lines.map((line) => line.startsWith("#") ? paint.faint(line) : line),
    ]),
    "",
    ...labelled("fix", [example.fix]),
  ];
}

function relatedLines(rule: NamedRule): string[] {
  return labelled("calls", wrapWords(callsOf(rule).map(({ name }) => name), WIDTH));
}

/** Every rule by family and every call by table, with what each is for. */
export function explainIndex(paint: Paints): string[] {
  return [...ruleIndex(paint), ...callIndex(paint)];
}

function ruleIndex(paint: Paints): string[] {
  const width = Math.max(...RULE_LIST.map(({ name }) => name.length));
  return FAMILIES.flatMap(({ letter, title }) => {
    const rules = RULE_LIST.filter(({ code }) => code.startsWith(`${letter}-`));
    const lines = rules.map(({ code, name, severity, doc }) =>
      `  ${code.padEnd(5)} ${name.padEnd(width)}  ${severity.padEnd(7)}  ${doc}`
    );
    return [paint.strong(`Rules: ${title}`), ...lines, ""];
  });
}

function callIndex(paint: Paints): string[] {
  const width = Math.max(...CATALOGUE.map(({ name }) => name.length));
  return [...byTable(CATALOGUE)].flatMap(([table, plans], index) => {
    const lines = plans.map(({ name, declaration }) => {
      const line = `  ${name.padEnd(width)}  ${declaration.doc}`;
      return declaration.modelled === false ? paint.faint(`${line} Not modelled yet.`) : line;
    });
    return [...(index === 0 ? [] : [""]), paint.strong(table), ...lines];
  });
}
