// Which line may stand under which: callbacks under what made them, calls under the callback they were made in.
// It must not know what lines say, only their forms and depths.

import type { Cursor } from "./lexer.ts";
import type { Statement } from "./syntax.ts";

/** Levels of indentation, at most. */
const MAX_DEPTH = 64;

interface Level {
  readonly statement: Statement;
  hasCallbacks: boolean;
  hasNone: boolean;
}

/** The lines that are open: one a level, the last at each depth. */
export class Nesting {
  #open: Level[] = [];

  /** Puts a line in its place; `NotationError` where it cannot stand. */
  enter(statement: Statement, cursor: Cursor): void {
    const { depth, form } = statement;
    const start = statement.at.column - 1;
    const parent = this.#open[depth - 1];
    if (depth > MAX_DEPTH) throw cursor.error(`indent at most ${MAX_DEPTH} levels`, start);
    if (depth > this.#open.length) {
      const most = this.#open.length * 2;
      throw cursor.error(`indent by at most ${most} spaces here: there are ${depth * 2}`, start);
    }
    const trouble = misplaced(form, parent?.statement.form);
    if (trouble !== null) throw cursor.error(trouble, start);
    if (parent !== undefined) noteCallbacks(parent, statement, cursor);
    this.#open = [...this.#open.slice(0, depth), { statement, hasCallbacks: false, hasNone: false }];
  }
}

/** What is wrong with a line of this form under that parent (undefined: at the top); null where nothing is. */
function misplaced(form: Statement["form"], parent: Statement["form"] | undefined): string | null {
  const makesCallbacks = parent === "call" || parent === "leave" || parent === "return";
  switch (form) {
    case "call":
      return parent === undefined || parent === "callback" || parent === "inside"
        ? null
        : "move this call to the top or under a callback: only callbacks stand under a call";
    case "callback":
      return makesCallbacks ? null : "indent this callback under the call that made it";
    case "noCallbacks":
      return parent === "call" ? null : 'indent "no callbacks" under the call that made none';
    case "leave":
    case "return":
      return parent === undefined || parent === "callback" || parent === "inside" || makesCallbacks
        ? null
        : `move this ${form} line under a call or a callback, or to the top`;
    case "inside":
      return parent === undefined || parent === "callback" || parent === "inside"
        ? null
        : "move this inside line to the top or under a callback";
    default:
      return parent === undefined ? null : "move this line to the top: only calls and callbacks are indented";
  }
}

function noteCallbacks(parent: Level, { form, at }: Statement, cursor: Cursor): void {
  if (form === "callback") parent.hasCallbacks = true;
  if (form === "noCallbacks") parent.hasNone = true;
  if (parent.hasNone && parent.hasCallbacks) {
    throw cursor.error('write either callbacks or "no callbacks" under a call', at.column - 1);
  }
}
