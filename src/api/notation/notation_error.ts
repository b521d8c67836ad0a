// The error of a text that is no notation: where, what was expected, and the line itself with a mark under it.
// It must not know the grammar.

import type { Place } from "./syntax.ts";
import { visibleText } from "./text_literal.ts";

const SHOWN_BEFORE = 60;
const SHOWN_AFTER = 60;

/** A line that cannot be read or used. The message shows the line; `line` and `column` count from 1. */
export class NotationError extends SyntaxError {
  override readonly name = "NotationError";
  readonly line: number;
  readonly column: number;

  constructor(message: string, at: Place) {
    const where = at.file === "" ? `line ${at.line}, column ${at.column}` : `${at.file}:${at.line}:${at.column}`;
    super(`Cannot read ${visibleText(where)}: ${visibleText(message)}\n${markedLine(at)}`);
    this.line = at.line;
    this.column = at.column;
  }
}

/** The line, cut to what is near, and a caret under the column. */
function markedLine({ text, column }: Place): string {
  const start = Math.max(0, column - 1 - SHOWN_BEFORE);
  const end = Math.min(text.length, column - 1 + SHOWN_AFTER);
  const before = (start > 0 ? "…" : "") + visibleText(text.slice(start, column - 1));
  const after = visibleText(text.slice(column - 1, end)) + (end < text.length ? "…" : "");
  return `  ${before}${after}\n  ${" ".repeat([...before].length)}^`;
}
