// Folds what the DDI's structures hold beside the declared parameters into those: counts, flags, symbols, structures of a call.
// It works on what is written, before anything is checked; it must not know any particular call.

import { type CallPlan, type ParamPlan, structDdiNames } from "../catalogue.ts";
import type { DdiNames } from "../grammar.ts";
import { NotationError } from "./notation_error.ts";
import type { NamedNode, ValueNode } from "./syntax.ts";

/** The arguments of a call with declared names alone. `NotationError` for a count, a flag or a value that cannot be. */
export function foldDdiNames(args: readonly NamedNode[], plan: CallPlan): readonly NamedNode[] {
  return foldNames(args, plan.ins, plan.declaration.ddi);
}

function foldNames(
  args: readonly NamedNode[],
  ins: readonly ParamPlan[],
  names: DdiNames = {},
): readonly NamedNode[] {
  const opened = args.flatMap((arg) => opensInto(arg, names));
  const folded = opened.flatMap((arg) => ins.some(({ name }) => name === arg.name) ? arg : declared(arg, names));
  const given = folded.filter(({ name, value }) => !isNoArray(value, ins.find((each) => each.name === name)));
  const twice = folded.find(({ name }, index) => folded.findIndex((arg) => arg.name === name) < index);
  if (twice !== undefined) throw new NotationError(`${twice.name} is given twice`, twice.at);
  return given.map((arg) => {
    const plan = ins.find(({ name }) => name === arg.name);
    const value = counted(symbolic(arg.value, names.symbols?.[arg.name]), arg.name, { opened, names });
    return { ...arg, value: plan?.storage === "struct" ? members(value, plan) : value };
  });
}

function opensInto(arg: NamedNode, names: DdiNames): readonly NamedNode[] {
  const isOpened = names.opened?.includes(arg.name) === true && arg.value.form === "struct";
  return isOpened && arg.value.form === "struct" ? arg.value.members.flatMap((each) => opensInto(each, names)) : [arg];
}

/** What an argument without a declared name says in declared ones; as it is where the DDI has none of this name either. */
function declared(
  arg: NamedNode,
  { counts = {}, flags = {}, renamed = {}, unused = [], ignored = [] }: DdiNames,
): NamedNode[] {
  const other = Object.hasOwn(renamed, arg.name) ? renamed[arg.name] : undefined;
  if (other !== undefined) return [{ ...arg, name: other }];
  const bits = Object.hasOwn(flags, arg.name) ? flags[arg.name] : undefined;
  if (bits !== undefined) return flagArguments(arg, bits);
  if (Object.hasOwn(counts, arg.name) || ignored.includes(arg.name)) return [];
  if (!unused.includes(arg.name)) return [arg];
  if (isNothing(arg.value)) return [];
  throw new NotationError(`expected 0, null or nothing: ${arg.name} is not modelled`, arg.value.at);
}

/** A pointer to no items. */
function isNoArray(value: ValueNode, plan: ParamPlan | undefined): boolean {
  return value.form === "null" && plan?.isArray === true;
}

function isNothing(value: ValueNode): boolean {
  return value.form === "null" || (value.form === "integer" && value.value === 0n) ||
    (value.form === "array" && value.items.length === 0);
}

function flagArguments(arg: NamedNode, bits: Readonly<Record<string, number>>): NamedNode[] {
  const node = symbolic(arg.value, bits);
  const known = Object.values(bits).reduce((sum, bit) => sum | BigInt(bit), 0n);
  if (node.form !== "integer" || (node.value & ~known) !== 0n) {
    throw new NotationError(`expected ${Object.keys(bits).join("|")} or 0 for ${arg.name}`, arg.value.at);
  }
  return Object.entries(bits).map(([name, bit]) => ({
    ...arg,
    name,
    value: { form: "boolean", value: (node.value & BigInt(bit)) !== 0n, at: arg.value.at, source: arg.value.source },
  }));
}

/** A number where all symbols have one here; else as it is. */
function symbolic(value: ValueNode, symbols: Readonly<Record<string, number>> | undefined): ValueNode {
  if (value.form !== "symbols" || symbols === undefined) return value;
  const numbers = value.parts.map((part) => typeof part === "bigint" ? part : numberOf(symbols, part));
  if (numbers.some((number) => number === undefined)) {
    throw new NotationError(
      `unknown symbol in ${value.source}. There are ${Object.keys(symbols).join(", ")}.`,
      value.at,
    );
  }
  const sum = numbers.length === 1 ? numbers[0] : numbers.reduce((all, each) => (all ?? 0n) | (each ?? 0n), 0n);
  return { form: "integer", value: sum ?? 0n, at: value.at, source: value.source };
}

function numberOf(symbols: Readonly<Record<string, number>>, name: string): bigint | undefined {
  const number = Object.hasOwn(symbols, name) ? symbols[name] : undefined;
  return number === undefined ? undefined : BigInt(number);
}

/** An array's first items, as many as its count says. */
function counted(
  value: ValueNode,
  name: string,
  { opened, names }: { readonly opened: readonly NamedNode[]; readonly names: DdiNames },
): ValueNode {
  const count = opened.find((arg) => names.counts?.[arg.name] === name);
  if (count === undefined || value.form !== "array") return value;
  const { value: number } = count;
  if (number.form === "integer" && number.value >= 0n && number.value <= BigInt(value.items.length)) {
    return { ...value, items: value.items.slice(0, Number(number.value)) };
  }
  throw new NotationError(
    `expected a count from 0 to ${value.items.length}: ${name} has no more items`,
    number.at,
  );
}

function members(value: ValueNode, plan: ParamPlan): ValueNode {
  if (value.form === "array") return { ...value, items: value.items.map((item) => members(item, plan)) };
  return value.form === "struct"
    ? { ...value, members: foldNames(value.members, plan.members, structDdiNames(plan.word)) }
    : value;
}
