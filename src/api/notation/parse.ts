// A text of call notation, line by line, into statements: what may stand where, labels, options, expectations.
// It must not run anything; what a line means for the model is not known here.

import { namedOnlyText } from "../kmcl_names.ts";
import { type CallPlan, findPlan } from "../catalogue.ts";
import { defaultOptions, type ModelOptions, OPTIONS, parseOption } from "../options.ts";
import { baseSide, canonicalSide, mayCall, SIDES, sidesOf } from "../sides.ts";
import { checkArguments, checkOutcome, checkOuts, checkReturn, returnPlan } from "./check.ts";
import { Cursor } from "./lexer.ts";
import { foldDdiNames } from "./ddi_names.ts";
import { didYouMean } from "./near_names.ts";
import { Nesting } from "./nesting.ts";
import { parseExpectation } from "./parse_expectation.ts";
import { parseOutcome } from "./parse_outcome.ts";
import { parseNamed, parseValue } from "./parse_value.ts";
import type {
  CallbackStatement,
  CallStatement,
  InsideStatement,
  LeaveStatement,
  NamedNode,
  Place,
  ReturnStatement,
  Scenario,
  Statement,
  ValueNode,
} from "./syntax.ts";
import { CALL_LIST, CALLBACK_LIST } from "./vocabulary.ts";

/** How a text is read. */
export interface ParseOptions {
  /** The file's name, for errors. */
  readonly file?: string;
}

/** Reads a whole text. `NotationError`, with line and column, for the first line that is no notation. */
export function parseScenario(text: string, { file = "" }: ParseOptions = {}): Scenario {
  const reader = new LineReader();
  const lines = text.replace(/^\ufeff/, "").split("\n");
  lines.forEach((line, index) => reader.read({ file, line: index + 1, text: line.replace(/\r$/, "") }));
  return { file, options: reader.options, statements: reader.statements };
}

interface Base {
  readonly line: number;
  readonly depth: number;
  readonly at: Place;
}

/** What the lines so far have said. */
class LineReader {
  readonly statements: Statement[] = [];
  options: ModelOptions = defaultOptions();
  readonly #nesting = new Nesting();
  readonly #labels = new Map<string, Statement>();
  readonly #ended = new Set<Statement>();
  readonly #optionNames = new Set<string>();

  read(source: Omit<Place, "column">): void {
    const cursor = new Cursor(source);
    const indent = cursor.match(/ */y)?.[0].length ?? 0;
    if (cursor.match(/[ \t]*(?:#.*)?$/y) !== null) return;
    if (cursor.match(/\t/y) !== null) throw cursor.error("indent with two spaces a level: there is a tab");
    if (indent % 2 !== 0) throw cursor.error(`indent with two spaces a level: there are ${indent}`);
    const base = { line: source.line, depth: indent / 2, at: cursor.place() };
    const statement = this.#statement(cursor, base);
    if (!cursor.atEnd()) throw cursor.expected("the end of the line");
    this.#checkOrder(statement, cursor);
    this.#nesting.enter(statement, cursor);
    this.statements.push(statement);
  }

  #statement(cursor: Cursor, base: Base): Statement {
    if (cursor.match(/!option(?!\w)/y) !== null) return this.#option(cursor, base);
    if (cursor.match(/callback(?= |$)/y) !== null) return this.#callback(cursor, base);
    if (cursor.match(/no +callbacks(?!\w)/y) !== null) return { form: "noCallbacks", ...base };
    if (cursor.match(/leave(?= |$)/y) !== null) return this.#leave(cursor, base);
    if (cursor.match(/return(?= |$)/y) !== null) return this.#return(cursor, base);
    if (cursor.match(/inside(?= |$)/y) !== null) return this.#inside(cursor, base);
    if (cursor.match(/expect(?= |$)/y) !== null) {
      const expectation = parseExpectation(cursor, this.#labels);
      return { ...expectation, ...base };
    }
    return this.#call(cursor, base);
  }

  #option(cursor: Cursor, base: Base): Statement {
    cursor.skipSpaces();
    const start = cursor.offset;
    const name = cursor.match(/[A-Za-z][\w-]*/y)?.[0];
    if (name === undefined) throw cursor.expected("an option's name");
    if (!Object.hasOwn(OPTIONS, name)) {
      throw cursor.error(`unknown option "${name}".${didYouMean(name, Object.keys(OPTIONS))}`, start);
    }
    if (this.#optionNames.has(name)) throw cursor.error(`option ${name} is given twice`, start);
    if (!cursor.take("=")) throw cursor.expected(`"=" after ${name}`);
    cursor.skipSpaces();
    const valueStart = cursor.offset;
    const value = cursor.match(/[^\s#]+/y)?.[0];
    if (value === undefined) throw cursor.expected(`a value of option ${name}`);
    this.options = setOption(this.options, { name, value, cursor, start: valueStart });
    this.#optionNames.add(name);
    return { form: "option", name, value, ...base };
  }

  #call(cursor: Cursor, base: Base): CallStatement {
    const head = this.#head(cursor, { isCallback: false });
    const outcome = cursor.take("->") ? parseOutcome(cursor, head.plan) : null;
    if (outcome !== null) checkOutcome(outcome, head.plan);
    const label = parseLabel(cursor);
    const statement: CallStatement = { form: "call", ...head, outcome, label: label?.name ?? null, ...base };
    this.#define(label, statement, cursor);
    return statement;
  }

  #callback(cursor: Cursor, base: Base): CallbackStatement {
    const head = this.#head(cursor, { isCallback: true });
    const hasArrow = cursor.take("->");
    const blocked = cursor.takeWord("blocked");
    const returned = hasArrow && !blocked ? parseReturned(cursor, head.plan) : NOTHING_RETURNED;
    const label = parseLabel(cursor);
    if (blocked && label === null) throw cursor.expected("@LABEL after blocked, for the callback's return line");
    const statement: CallbackStatement = {
      form: "callback",
      ...head,
      ...returned,
      blocked,
      label: label?.name ?? null,
      ...base,
    };
    this.#define(label, statement, cursor);
    return statement;
  }

  /** `SIDE NAME(ARGUMENTS)`, checked against the declaration. */
  #head(
    cursor: Cursor,
    { isCallback }: { readonly isCallback: boolean },
  ): { readonly side: string; readonly plan: CallPlan; readonly args: readonly NamedNode[] } {
    const side = parseSide(cursor);
    const plan = parsePlan(cursor, { side, isCallback });
    if (!cursor.take("(")) throw cursor.expected(`"(" after ${plan.name}`);
    const args = foldDdiNames(parseNamed(cursor, { close: ")", what: "parameter" }), plan);
    checkArguments(args, plan);
    return { side: canonicalSide(side), plan, args };
  }

  #leave(cursor: Cursor, base: Base): LeaveStatement {
    const { start, statement: of } = this.#ending(cursor, "leave");
    if (of.form !== "call" || (of.outcome !== null && of.outcome.form !== "blocked")) {
      throw cursor.error('expected the label of a call that is "-> blocked"', start);
    }
    const outcome = cursor.take("->") ? parseOutcome(cursor, of.plan) : null;
    if (outcome?.form === "blocked") throw cursor.error("expected how the call returns: it leaves here", start);
    if (outcome !== null) checkOutcome(outcome, of.plan);
    const label = parseLabel(cursor);
    const statement: LeaveStatement = { form: "leave", of, outcome, label: label?.name ?? null, ...base };
    this.#define(label, statement, cursor);
    return statement;
  }

  #return(cursor: Cursor, base: Base): ReturnStatement {
    const { start, statement: of } = this.#ending(cursor, "return");
    if (of.form !== "callback" || !of.blocked) {
      throw cursor.error("expected the label of a callback that is blocked", start);
    }
    const returned = cursor.take("->") ? parseReturned(cursor, of.plan) : NOTHING_RETURNED;
    const label = parseLabel(cursor);
    const statement: ReturnStatement = { form: "return", of, ...returned, label: label?.name ?? null, ...base };
    this.#define(label, statement, cursor);
    return statement;
  }

  #inside(cursor: Cursor, base: Base): InsideStatement {
    const { start, statement: of } = this.#waiting(cursor, "inside");
    if (of.form !== "callback" || !of.blocked) {
      throw cursor.error("expected the label of a callback that is blocked", start);
    }
    return { form: "inside", of, ...base };
  }

  /** The labelled line that a `leave` or `return` ends, once. */
  #ending(cursor: Cursor, what: string): { readonly start: number; readonly statement: Statement } {
    const found = this.#waiting(cursor, what);
    this.#ended.add(found.statement);
    return found;
  }

  /** The labelled line that has not ended yet. */
  #waiting(cursor: Cursor, what: string): { readonly start: number; readonly statement: Statement } {
    cursor.skipSpaces();
    const start = cursor.offset;
    const label = parseLabel(cursor);
    if (label === null) throw cursor.expected(`@LABEL after ${what}`);
    const statement = this.#labels.get(label.name);
    if (statement === undefined) {
      throw cursor.error(`unknown label @${label.name}.${didYouMean(label.name, this.#labels.keys())}`, start);
    }
    if (this.#ended.has(statement)) throw cursor.error(`@${label.name} has returned before`, start);
    return { start, statement };
  }

  #define(label: Label | null, statement: Statement, cursor: Cursor): void {
    if (label === null) return;
    const first = this.#labels.get(label.name);
    if (first !== undefined) {
      throw cursor.error(`label @${label.name} is taken: it stands on line ${first.line}`, label.start);
    }
    this.#labels.set(label.name, statement);
  }

  #checkOrder(statement: Statement, cursor: Cursor): void {
    const start = statement.at.column - 1;
    const last = this.statements.at(-1);
    const isExpectation = statement.form.startsWith("expect");
    if (statement.form === "option" && last !== undefined && last.form !== "option") {
      throw cursor.error("move options before the first call", start);
    }
    if (!isExpectation && last !== undefined && last.form.startsWith("expect")) {
      throw cursor.error("move expectations after the last call: this line comes after one", start);
    }
    const others = { expectFinding: "expectNoFindings", expectNoFindings: "expectFinding" } as const;
    if (statement.form !== "expectFinding" && statement.form !== "expectNoFindings") return;
    const contrary = this.statements.find((each) => each.form === others[statement.form]);
    if (contrary !== undefined) throw cursor.error(`line ${contrary.line} expects the contrary`, start);
  }
}

function setOption(
  options: ModelOptions,
  { name, value, cursor, start }: {
    readonly name: string;
    readonly value: string;
    readonly cursor: Cursor;
    readonly start: number;
  },
): ModelOptions {
  try {
    return parseOption(options, name, value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw cursor.error(error.message, start);
  }
}

/** What stands behind a callback's arrow: what the driver returns, and what it gives back. */
interface Returned {
  readonly returns: ValueNode | null;
  readonly outs: readonly NamedNode[];
}

const NOTHING_RETURNED: Returned = { returns: null, outs: [] };

function parseReturned(cursor: Cursor, plan: CallPlan): Returned {
  const returns = parseReturnValue(cursor, plan);
  cursor.skipSpaces();
  const outs = plan.outs.length > 0 && cursor.take("{") ? parseNamed(cursor, { close: "}", what: "output" }) : [];
  checkOuts(outs, plan);
  return { returns, outs };
}

function parseReturnValue(cursor: Cursor, plan: CallPlan): ValueNode | null {
  cursor.skipSpaces();
  if (plan.outs.length > 0 && cursor.looksAt(/\{/y)) return null;
  if (returnPlan(plan) === null && cursor.takeWord("void")) return null;
  const value = parseValue(cursor);
  checkReturn(value, plan);
  return value;
}

interface Label {
  readonly name: string;
  readonly start: number;
}

/** `@LABEL`, its name without the mark; null where none stands here. */
function parseLabel(cursor: Cursor): Label | null {
  cursor.skipSpaces();
  const start = cursor.offset;
  if (!cursor.take("@")) return null;
  const name = cursor.match(/\w[\w.-]{0,99}/y)?.[0];
  if (name === undefined) throw cursor.expected("a label's name after @");
  return { name, start };
}

function parseSide(cursor: Cursor): string {
  cursor.skipSpaces();
  const start = cursor.offset;
  const side = cursor.match(/[A-Za-z][\w-]*(?:#\d+)?/y)?.[0];
  if (side === undefined) throw cursor.expected("a side, callback, leave, return, inside or expect");
  if (baseSide(side) !== null) return side;
  const words = [...SIDES, "callback", "leave", "return", "inside", "expect"];
  throw cursor.error(`unknown side "${side}".${didYouMean(side, words) || ` There are ${SIDES.join(", ")}.`}`, start);
}

function parsePlan(
  cursor: Cursor,
  { side, isCallback }: { readonly side: string; readonly isCallback: boolean },
): CallPlan {
  cursor.skipSpaces();
  const start = cursor.offset;
  const name = cursor.match(/[A-Za-z_]\w*/y)?.[0];
  const what = isCallback ? "callback" : "call";
  if (name === undefined) throw cursor.expected(`the name of a ${what} after ${side}`);
  const plan = findPlan(name);
  if (plan === undefined) {
    const known = namedOnlyText(name);
    if (known !== null) throw cursor.error(known, start);
    throw cursor.error(`unknown ${what} "${name}".${didYouMean(name, isCallback ? CALLBACK_LIST : CALL_LIST)}`, start);
  }
  if (plan.isCallback !== isCallback) {
    const hint = isCallback ? "leave the word callback out" : "write callback before the side";
    throw cursor.error(`${hint}: ${name} is a ${plan.isCallback ? "callback" : "call"}`, start);
  }
  const base = baseSide(side);
  if (base === null || !mayCall(base, plan.declaration.endpoint)) {
    const sides = sidesOf(plan.declaration.endpoint).join(" or ");
    throw cursor.error(`expected ${sides} as the side: ${side} cannot make ${name}`, start);
  }
  return plan;
}
