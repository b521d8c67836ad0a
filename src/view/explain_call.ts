// The page of a call, callback or captured event: everything that its declaration says, in words.
// It must not know any particular call, nor where the text goes.

import {
  type CallPlan,
  CATALOGUE,
  type EffectPlan,
  NAMED_ONLY,
  namedOnlyText,
  type ObjectDeclaration,
  OBJECTS,
  type Operand,
  type ParamPlan,
  sidesOf,
  STRUCTS,
} from "../api/mod.ts";
import { labelled, rulesOf, sourceText, tableOf } from "./explain_names.ts";
import type { Paints } from "./findings.ts";

/** The page of a call by its name, letters in either case, or null where there is none such. */
export function explainCall(call: string, paint: Paints): string[] | null {
  const plan = CATALOGUE.find(({ name }) => name.toLowerCase() === call.toLowerCase());
  if (plan === undefined) return explainName(call, paint);
  const { declaration } = plan;
  return [
    `${paint.strong(plan.name)}  ${paint.faint(`${tableOf(plan)}, id ${plan.id}`)}`,
    declaration.doc,
    "",
    ...signatureLines(plan, paint),
    "",
    ...labelled(plan.isCallback ? "called at" : "by", [whoText(plan)]),
    ...labelled("needs", needsLines(plan)),
    ...labelled("refuses", refusalLines(plan)),
    ...labelled("moves", Object.entries(declaration.moves ?? {}).map(([param, state]) => `${param} to ${state}`)),
    ...labelled("effects", effectLines(plan)),
    ...labelled("blocks", blocksLines(plan)),
    ...labelled("status", statusLines(plan)),
    ...labelled("modelled", [modelledText(plan)]),
    ...labelled("rules", rulesOf(plan).map(({ code, name, doc }) => `${code} ${name}: ${doc}`)),
    ...labelled("source", (declaration.source ?? "the notation: a call of the machine").split("; ").map(sourceText)),
  ];
}

/** The page of a function of which only the name is public. */
function explainName(call: string, paint: Paints): string[] | null {
  const name = Object.keys(NAMED_ONLY).find((each) => each.toLowerCase() === call.toLowerCase());
  const text = name === undefined ? null : namedOnlyText(name);
  if (name === undefined || text === null) return null;
  return [
    `${paint.strong(name)}  ${paint.faint("KMCL, not declared")}`,
    text,
    "",
    ...labelled("source", ["kmcl.md 2.7"]),
  ];
}

interface Row {
  readonly depth: number;
  readonly param: ParamPlan;
}

function signatureLines({ name, params, declaration }: CallPlan, paint: Paints): string[] {
  const end = `) -> ${declaration.returns}`;
  if (params.length === 0) return [`${name}(${end}`];
  const rows = params.flatMap((param) => rowsOf(param, 1));
  const widths = [
    Math.max(...rows.map(({ param }) => param.direction.length)),
    Math.max(...rows.map(({ param, depth }) => param.name.length + 2 * (depth - 1))),
    Math.max(...rows.map(({ param }) => typeText(param).length)),
  ] as const;
  const lines = rows.map(({ depth, param }) => {
    const columns = [
      param.direction.padEnd(widths[0]),
      `${"  ".repeat(depth - 1)}${param.name}`.padEnd(widths[1]),
      typeText(param).padEnd(widths[2]),
      paint.faint(docOf(param)),
    ];
    return `  ${columns.join("  ")}`.trimEnd();
  });
  return [`${name}(`, ...lines, end];
}

function rowsOf(param: ParamPlan, depth: number): Row[] {
  return [{ depth, param }, ...param.members.flatMap((member) => rowsOf(member, depth + 1))];
}

function typeText({ word, isArray }: ParamPlan): string {
  return isArray ? `${word}[]` : word;
}

/** What a value of the parameter is: its type's own words, its symbols, and whether it may be left out. */
function docOf({ word, kind, scalar, members, optional }: ParamPlan): string {
  const doc = scalar?.doc ?? (kind === null ? structDoc(word, members) : OBJECTS[kind].doc);
  const symbols = Object.keys(scalar?.flags ?? scalar?.names ?? {});
  const listed = symbols.length === 0
    ? ""
    : `: ${symbols.slice(0, SYMBOLS_SHOWN).join(scalar?.flags === undefined ? ", " : "|")}`;
  const more = symbols.length > SYMBOLS_SHOWN ? ` and ${symbols.length - SYMBOLS_SHOWN} more` : "";
  return `${doc}${listed}${more}${optional ? "; or null" : ""}`;
}

const SYMBOLS_SHOWN = 6;

function structDoc(word: string, members: readonly ParamPlan[]): string {
  const found = Object.entries<{ readonly doc: string }>(STRUCTS).find(([name]) => name === word);
  return (found?.[1].doc ?? `a structure of ${members.length} members`).replace(/\.$/, "");
}

function whoText({ declaration, isCallback, level }: CallPlan): string {
  if (declaration.observes !== undefined) return "nobody: it is seen in a capture of a real system";
  const sides = sidesOf(declaration.endpoint).join(" or ");
  if (level === "wire") return `the ${sides}'s bus driver by itself, where calls of KMCL make it`;
  const isRestricted = declaration.endpoint === "client" || declaration.endpoint === "server";
  return isRestricted && !isCallback ? `${sides} only; the channel's other end is refused (L-09)` : sides;
}

function needsLines({ declaration, level }: CallPlan): string[] {
  const needs = Object.entries(declaration.needs ?? {});
  if (declaration.observes !== undefined || level === "wire") return [];
  const lines = needs.map(([param, states]) => `${param} ${listed(states)}`);
  if (lines.length === 0) return ["live handles, in any state"];
  return declaration.returns === "status"
    ? [...lines, `otherwise ${declaration.refusal ?? "the status of the option refusal-status"}`]
    : [...lines, "otherwise refused, without effect"];
}

/** In order, behind what every call is refused for. */
function refusalLines({ declaration: { refuses = [] } }: CallPlan): string[] {
  if (refuses.length === 0) return [];
  const lines = refuses.map(([condition, answer]) => `${condition}${answer === "refused" ? "" : `: ${answer}`}`);
  return ["after the other end, the level, handles and states, in this order:", ...lines];
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

function effectLines(plan: CallPlan): string[] {
  const { observes } = plan.declaration;
  if (observes !== undefined) {
    return [`${EDGES[observes.edge]} of ${observes.thing}, named by ${observes.key.join(", ")}`];
  }
  return plan.effects.length === 0
    ? ["none that a table names"]
    : plan.effects.map((effect) => effectText(effect, plan));
}

const EDGES = { start: "the start", stop: "the end", rundown: "a start before the capture", mark: "a sign" } as const;
const DEEDS: Readonly<Record<EffectPlan["verb"], string>> = {
  create: "creates",
  destroy: "ends",
  map: "maps",
  unmap: "unmaps",
  open: "opens",
  close: "closes",
  reserve: "reserves",
  free: "frees",
};

function effectText({ verb, subject, size, param }: EffectPlan, plan: CallPlan): string {
  if (size !== null) return `${DEEDS[verb]} the range at ${operandText(subject, plan)} of ${operandText(size, plan)}`;
  const kind = param.kind === null ? "" : ` (${ownerText(param.kind, verb)})`;
  return `${DEEDS[verb]} ${operandText(subject, plan)}${kind}`;
}

function operandText({ from, index, member }: Operand, { ins, outs }: CallPlan): string {
  if (from === "return") return "what it returns";
  const name = (from === "in" ? ins : outs)[index]?.name ?? "";
  return member === null ? name : `each ${name}.${member}`;
}

const OWNER_ENDS = { released: "released with its", leaked: "leaked at the end of its", kept: "outlives its" } as const;

/** The kind, and for a new object what its owner's end does to it. */
function ownerText(kind: keyof typeof OBJECTS, verb: EffectPlan["verb"]): string {
  const { owners, ownerEnd }: ObjectDeclaration = OBJECTS[kind];
  return verb === "create" && owners.length > 0 ? `${kind}, ${OWNER_ENDS[ownerEnd]} ${owners.join(" or ")}` : kind;
}

function blocksLines({ declaration, isCallback, level }: CallPlan): string[] {
  if (isCallback || declaration.observes !== undefined || level === "wire") return [];
  return [declaration.blocks === true ? "it may: enter and leave can be separate events" : "never"];
}

function statusLines({ declaration, isCallback }: CallPlan): string[] {
  if (declaration.returns !== "status" || isCallback) return [];
  return [declaration.mustInspect === true ? "must be inspected, says the header (L-10)" : "need not be inspected"];
}

function modelledText({ declaration, level }: CallPlan): string {
  if (level === "wire") return "yes, as an event with the option wire=on";
  if (declaration.observes !== undefined) return "no: a capture shows it, the engine cannot make it happen";
  if (declaration.modelled !== false) return declaration.regular === true ? "yes, by its tables alone" : "yes";
  return declaration.returns === "status" ? "not yet: it answers STATUS_NOT_IMPLEMENTED" : "not yet: it is refused";
}
