// How long files and functions may be, and that a function at top level says so.
// Functions are found by their brackets: a parameter list before a body, or an arrow.

import { anywhere, type SourceRule, type Spot, spotsOf } from "./rule.ts";
import type { SourceFile } from "./source.ts";

const FILE_LIMIT = 400;
const FUNCTION_LIMIT = 60;

function findLongFile({ text }: SourceFile): Spot[] {
  const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  return lines <= FILE_LIMIT ? [] : [{ line: FILE_LIMIT + 1, is: `${lines} lines` }];
}

/** Where a function begins and where its body ends. */
interface Extent {
  readonly start: number;
  readonly end: number;
}

function findLongFunctions(source: SourceFile): Spot[] {
  const extents = [...listFunctions(source), ...arrowFunctions(source)];
  return extents.flatMap(({ start, end }) => {
    const line = source.lineAt(start);
    const lines = source.lineAt(end) - line + 1;
    return lines <= FUNCTION_LIMIT ? [] : [{ line, is: `a function of ${lines} lines` }];
  }).sort((left, right) => left.line - right.line);
}

const NOT_NAMES = /\b(?:if|for|while|switch|catch|with|return|await|typeof|in|of|case|throw|new)$/;

/** Functions and methods: a parameter list, perhaps a type, and a body. */
function listFunctions(source: SourceFile): Extent[] {
  const { code } = source;
  return [...code.matchAll(/\(/g)].flatMap(({ index }) => {
    const close = source.closing(index);
    if (close < 0 || NOT_NAMES.test(code.slice(Math.max(0, index - 12), index).trimEnd())) return [];
    const body = bodyAfter(source, close + 1);
    return body < 0 ? [] : [{ start: index, end: source.closing(body) }];
  });
}

/** The index of the brace of a body that follows a parameter list, past a return type, or -1. */
function bodyAfter(source: SourceFile, from: number): number {
  const first = /\s*(:?)\s*/y;
  first.lastIndex = from;
  const isTyped = first.exec(source.code)?.[1] === ":";
  const at = first.lastIndex;
  if (isTyped) return bodyAfterType(source, at);
  return source.code[at] === "{" && source.closing(at) >= 0 ? at : -1;
}

const TYPE_TOKEN = /\s*(=>|[{[(<]|[|&]|[\w$.#]+|"\s*"|[>\])]|\S)/y;
const WANTS_MORE = /^(?:=>|[|&<]|is|asserts|keyof|typeof|readonly|extends|infer|unique)$/;

/** Walks a type, whole bracket by whole bracket, to the brace that cannot belong to it. */
function bodyAfterType(source: SourceFile, from: number): number {
  let at = from;
  let wantsMore = true;
  let angles = 0;
  for (;;) {
    TYPE_TOKEN.lastIndex = at;
    const token = TYPE_TOKEN.exec(source.code)?.[1];
    if (token === undefined) return -1;
    const start = TYPE_TOKEN.lastIndex - token.length;
    at = TYPE_TOKEN.lastIndex;
    if (token === "{" && !wantsMore && angles === 0) return start;
    if (/^[{[(]$/.test(token)) at = source.closing(start) + 1;
    else if (token === "<") angles += 1;
    else if (token === ">") angles -= 1;
    else if (!/^(?:=>|[|&]|[\w$.#]+|"\s*"|,|\?|:|`)$/.test(token) || (angles === 0 && /^[,?:]$/.test(token))) return -1;
    if (at === 0 || angles < 0) return -1;
    wantsMore = WANTS_MORE.test(token) || (angles > 0 && /^[,?:]$/.test(token));
  }
}

function arrowFunctions(source: SourceFile): Extent[] {
  const { code } = source;
  return [...code.matchAll(/=>\s*/g)].map(({ index, 0: arrow }) => {
    const before = code.slice(0, index).trimEnd().length - 1;
    const start = code[before] === ")" && source.opening(before) >= 0 ? source.opening(before) : index;
    return { start, end: expressionEnd(source, index + arrow.length) };
  });
}

/**
 * Where the expression or type that starts here ends: its own brace, the `,`, `;` or bracket that closes around it, or
 * the brace of a body behind it (`): (a: A) => B {`).
 */
function expressionEnd(source: SourceFile, from: number): number {
  if (source.code[from] === "{") return Math.max(from, source.closing(from));
  const stops = /[([{}\]),;]/g;
  stops.lastIndex = from;
  for (let match = stops.exec(source.code); match !== null; match = stops.exec(source.code)) {
    const close = source.closing(match.index);
    const isBody = match[0] === "{" && /(?:[\w)\]}"`]|[^=]>)\s*$/.test(source.code.slice(from - 1, match.index));
    if (!"([{".includes(match[0]) || close < 0 || isBody) return match.index - 1;
    stops.lastIndex = close + 1;
  }
  return source.code.length - 1;
}

const DECLARATION =
  /^(?:export )?(?:const|let) [\w$]+\s*(?::(?:=>|[^=])*?)?=(?![=>])\s*(?:async\s*)?(?=([(<]|[\w$]+\s*=>))/gm;

function findTopLevelArrows(source: SourceFile): Spot[] {
  return spotsOf(source, DECLARATION, {
    is: ({ 0: head, 1: next, index }) => {
      const name = /(?:const|let) ([\w$]+)/.exec(head)?.[1] ?? "";
      const told = `${name} is an arrow at top level`;
      const open = source.code.indexOf("(", index + head.length);
      if (next !== "(" && next !== "<") return told;
      return isArrowList(source, open) ? told : null;
    },
  });
}

/** Whether `=>` follows the parameter list that opens here, perhaps behind a return type. */
function isArrowList(source: SourceFile, open: number): boolean {
  const close = open < 0 ? -1 : source.closing(open);
  return close >= 0 && /^\s*(?:=>|:[^;=]*=>)/.test(source.code.slice(close + 1, close + 400));
}

/** Rules over lengths. */
export const SIZE_RULES: readonly SourceRule[] = [
  {
    name: "file-size",
    wanted: `at most ${FILE_LIMIT} lines`,
    fix: "move what has another subject to a file of its own",
    holdsIn: anywhere,
    find: findLongFile,
  },
  {
    name: "function-size",
    wanted: `at most ${FUNCTION_LIMIT} lines`,
    fix: "take a step out as a function with a name",
    holdsIn: anywhere,
    find: findLongFunctions,
  },
  {
    name: "top-level-arrow",
    wanted: "a function declaration",
    fix: "write `function name(…) {…}`",
    holdsIn: (path) => path.startsWith("src/") || path.startsWith("tools/"),
    find: findTopLevelArrows,
  },
];
