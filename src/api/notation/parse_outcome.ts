// What stands after `->`: outcomes with their outputs. It must not know whether they fit the call, only that they can be read.

import type { CallPlan } from "../catalogue.ts";
import type { Cursor } from "./lexer.ts";
import { parseNamed, parseTextRest, parseValue } from "./parse_value.ts";
import type { OutcomeNode } from "./syntax.ts";

const WORDS = ["ok", "fails", "void", "blocked"] as const;

/** Reads an outcome and its outputs, from behind the arrow. */
export function parseOutcome(cursor: Cursor, plan: CallPlan): OutcomeNode {
  cursor.skipSpaces();
  const start = cursor.offset;
  const at = cursor.place();
  const answer = parseAnswer(cursor, plan);
  cursor.skipSpaces();
  const outsStart = cursor.offset;
  const outs = cursor.take("{") ? parseNamed(cursor, { close: "}", what: "output" }) : [];
  if (answer.form === "blocked" && outs.length > 0) {
    throw cursor.error("write the outputs on the leave line: a blocked call has none yet", outsStart);
  }
  return { ...answer, outs, at, source: cursor.since(start) };
}

type Answer =
  | { readonly form: (typeof WORDS)[number] | "any" }
  | { readonly form: "refused"; readonly reason: string | null }
  | { readonly form: "value"; readonly value: ReturnType<typeof parseValue> };

function parseAnswer(cursor: Cursor, plan: CallPlan): Answer {
  const word = WORDS.find((each) => cursor.takeWord(each));
  if (word !== undefined) return { form: word };
  if (cursor.takeWord("refused")) {
    cursor.skipSpaces();
    const start = cursor.offset;
    return { form: "refused", reason: cursor.take('"') ? parseTextRest(cursor, start) : null };
  }
  const isGuid = cursor.looksAt(/\{[0-9a-fA-F]{8}-/y);
  if (cursor.looksAt(/\{/y) && !isGuid && plan.returned?.storage !== "struct") return { form: "any" };
  return { form: "value", value: parseValue(cursor) };
}
