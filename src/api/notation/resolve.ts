// The object that an expectation means. It must not know states or findings.

import { isRef } from "../values.ts";
import { type Environment, variableValue } from "./evaluate.ts";
import type { ObjectReference } from "./positions.ts";
import type { ObjectNode, VariableNode } from "./syntax.ts";

/** Kind and number of a written object or of the one that a variable holds; null where it holds none. */
export function resolveObject(node: ObjectNode | VariableNode, env: Environment): ObjectReference | null {
  if (node.form === "object") return { kind: node.kind, number: node.number };
  const value = variableValue(node, env);
  return value !== null && isRef(value) ? { kind: value.kind, number: value.number } : null;
}
