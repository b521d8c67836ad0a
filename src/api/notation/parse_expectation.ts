// Expectations of a scenario's end: findings and states. It must not know the rules: whoever audits does.

import { objectKind } from "../catalogue.ts";
import { OBJECTS } from "../objects.ts";
import type { Cursor } from "./lexer.ts";
import { didYouMean } from "./near_names.ts";
import { parseValue } from "./parse_value.ts";
import type {
  ExpectFindingStatement,
  ExpectNoFindingsStatement,
  ExpectStateStatement,
  ObjectNode,
  Statement,
  VariableNode,
} from "./syntax.ts";

type Bare<S> = S extends Statement ? Omit<S, "line" | "depth" | "at"> : never;
/** An expectation before it has its place. */
export type Expectation = Bare<ExpectFindingStatement | ExpectNoFindingsStatement | ExpectStateStatement>;

/** The lines above that have labels. */
export type Labels = ReadonlyMap<string, Statement>;

/** Reads what follows `expect`. */
export function parseExpectation(cursor: Cursor, labels: Labels): Expectation {
  if (cursor.takeWord("finding")) return parseFinding(cursor, labels);
  if (cursor.takeWord("state")) return parseState(cursor);
  if (cursor.takeWord("no") && cursor.takeWord("findings")) return { form: "expectNoFindings" };
  throw cursor.expected('"finding RULE", "no findings" or "state REF STATE" after expect');
}

function parseFinding(cursor: Cursor, labels: Labels): Expectation {
  cursor.skipSpaces();
  const rule = cursor.match(/[A-Za-z][A-Za-z0-9-]*/y)?.[0];
  if (rule === undefined) throw cursor.expected("a rule's name");
  const position = cursor.takeWord("at") ? parsePlace(cursor, labels) : null;
  const object = cursor.takeWord("object") ? parseReference(cursor) : null;
  return { form: "expectFinding", rule, position, object };
}

/** `@LABEL`, which must exist unless it is an event number. */
function parsePlace(cursor: Cursor, labels: Labels): string {
  cursor.skipSpaces();
  const start = cursor.offset;
  const name = cursor.match(/@(\w[\w.-]*)/y)?.[1];
  if (name === undefined) throw cursor.expected("a position like @LABEL");
  if (labels.has(name) || /^[1-9][0-9]{0,14}$/.test(name)) return name;
  throw cursor.error(`unknown label @${name}.${didYouMean(name, labels.keys())}`, start);
}

function parseReference(cursor: Cursor): ObjectNode | VariableNode {
  cursor.skipSpaces();
  const start = cursor.offset;
  const node = parseValue(cursor);
  if (node.form === "object" || (node.form === "variable" && node.offset === null)) return node;
  throw cursor.error("expected an object like gpadl#1, or a variable", start);
}

function parseState(cursor: Cursor): Expectation {
  const object = parseReference(cursor);
  cursor.skipSpaces();
  const start = cursor.offset;
  const state = cursor.match(/[A-Za-z]+(?:\/[A-Za-z]+)?/y)?.[0];
  if (state === undefined) throw cursor.expected("a state");
  const known = statesOf(object);
  if (!known.includes(state)) {
    const hint = didYouMean(state, known) || ` There are ${known.join(", ")}.`;
    throw cursor.error(`unknown state "${state}".${hint}`, start);
  }
  return { form: "expectState", object, state };
}

/** The states of the object's kind; of all kinds where a variable hides it. A channel's may say whether it is paused. */
function statesOf(object: ObjectNode | VariableNode): readonly string[] {
  const kinds = object.form === "object"
    ? [object.kind]
    : Object.keys(OBJECTS).flatMap((name) => objectKind(name) ?? []);
  const states = kinds.flatMap((kind) => {
    const own: readonly string[] = OBJECTS[kind].states;
    return kind === "channel" ? own.flatMap((state) => [state, `${state}/paused`, `${state}/active`]) : own;
  });
  return [...new Set(states)];
}
