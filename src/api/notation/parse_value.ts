// Values as written: the part of the grammar that stands inside parentheses, braces and brackets.
// It must not know declared types: whether a value fits is checked elsewhere.

import { baseSide } from "../sides.ts";
import { objectKind } from "../catalogue.ts";
import { OBJECTS } from "../objects.ts";
import type { Cursor } from "./lexer.ts";
import { didYouMean } from "./near_names.ts";
import type { NamedNode, ValueNode } from "./syntax.ts";
import { unquoteText } from "./text_literal.ts";

/** Arrays and structures inside one another, at most. */
const MAX_NESTING = 16;
/** Bytes that one `fill` or `zero` may stand for. */
export const MAX_FILL_BYTES = 2 ** 30;
const MAX_INTEGER = (1n << 64n) - 1n;
const MIN_INTEGER = -(1n << 63n);

const INTEGER = /(-?)(0[xX][0-9a-fA-F]+|[0-9]+)(?!\w)/y;
const WORD = /[A-Za-z_]\w*(?:-[A-Za-z]\w*)*/y;
const NUMBER_SIGN = /#([1-9][0-9]{0,14})(?!\w)/y;
const GUID = /\{[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}/y;

/** Reads one value. */
export function parseValue(cursor: Cursor, nesting = 0): ValueNode {
  cursor.skipSpaces();
  if (nesting > MAX_NESTING) throw cursor.error(`nest values at most ${MAX_NESTING} deep`);
  const start = cursor.offset;
  const at = cursor.place();
  const base = () => ({ at, source: cursor.since(start) });
  const guid = cursor.match(GUID);
  if (guid !== null) return { form: "guid", value: guid[0].toLowerCase(), ...base() };
  if (cursor.take("[")) {
    const items = parseItems(cursor, nesting);
    return { form: "array", items, ...base() };
  }
  if (cursor.take("{")) {
    const members = parseNamed(cursor, { close: "}", what: "member", nesting: nesting + 1 });
    return { form: "struct", members, ...base() };
  }
  if (cursor.take("$")) {
    const variable = parseVariable(cursor);
    return { form: "variable", ...variable, ...base() };
  }
  if (cursor.take('"')) {
    const value = parseTextRest(cursor, start);
    return { form: "text", value, ...base() };
  }
  if (cursor.take("h'")) {
    const value = parseBytesRest(cursor, start);
    return { form: "bytes", value, ...base() };
  }
  return parseWordOrNumber(cursor, start);
}

function parseItems(cursor: Cursor, nesting: number): ValueNode[] {
  const items: ValueNode[] = [];
  if (cursor.take("]")) return items;
  do items.push(parseValue(cursor, nesting + 1)); while (cursor.take(","));
  if (!cursor.take("]")) throw cursor.expected('"," or "]"');
  return items;
}

/** Reads `NAME=VALUE, ...` up to and with the closing mark. */
export function parseNamed(
  cursor: Cursor,
  { close, what, nesting = 0 }: { readonly close: ")" | "}"; readonly what: string; readonly nesting?: number },
): NamedNode[] {
  const named: NamedNode[] = [];
  if (cursor.take(close)) return named;
  do {
    cursor.skipSpaces();
    const at = cursor.place();
    const name = cursor.match(/[A-Za-z_]\w*/y)?.[0];
    if (name === undefined) throw cursor.expected(`the name of a ${what}${named.length === 0 ? ` or "${close}"` : ""}`);
    if (named.some((each) => each.name === name)) throw cursor.error(`${what} ${name} is given twice`, at.column - 1);
    if (!cursor.take("=")) throw cursor.expected(`"=" after ${name}`);
    named.push({ name, value: parseValue(cursor, nesting), at });
  } while (cursor.take(","));
  if (!cursor.take(close)) throw cursor.expected(`"," or "${close}"`);
  return named;
}

function parseVariable(cursor: Cursor): { readonly name: string; readonly offset: bigint | null } {
  const name = cursor.match(/[A-Za-z_]\w*/y)?.[0];
  if (name === undefined) throw cursor.expected("a variable's name after $");
  const sign = cursor.match(/[+-]/y)?.[0];
  if (sign === undefined) return { name, offset: null };
  const start = cursor.offset;
  const offset = parseInteger(cursor);
  if (offset === null || offset < 0n) throw cursor.error(`expected a number after $${name}${sign}`, start);
  return { name, offset: sign === "-" ? -offset : offset };
}

/** Reads an integer of up to 64 bits; null where none stands here. */
export function parseInteger(cursor: Cursor): bigint | null {
  const start = cursor.offset;
  const match = cursor.match(INTEGER);
  if (match === null) return null;
  const [text, sign = "", digits = ""] = match;
  if (text.length > 40) throw cursor.error("expected an integer of up to 64 bits", start);
  const value = sign === "-" ? -BigInt(digits) : BigInt(digits);
  if (value > MAX_INTEGER || value < MIN_INTEGER) throw cursor.error(`expected up to 64 bits: ${text} has more`, start);
  return value;
}

/** Reads the rest of a quoted text, from behind its opening quote at `start`. */
export function parseTextRest(cursor: Cursor, start: number): string {
  const inner = cursor.match(/(?:[^"\\\p{Cc}]|\\[^\p{Cc}])*/uy)?.[0] ?? "";
  if (!cursor.take('"')) {
    if (cursor.match(/\p{Cc}/uy) !== null) throw cursor.error("write control characters as \\n or \\u{1b}");
    throw cursor.error('expected a closing "', start);
  }
  const text = unquoteText(inner);
  if (text !== null) return text;
  throw cursor.error('expected escapes of the forms \\" \\\\ \\n \\r \\t \\u{1b}', start);
}

function parseBytesRest(cursor: Cursor, start: number): Uint8Array {
  const digits = cursor.match(/[0-9a-fA-F]*/y)?.[0] ?? "";
  if (cursor.match(/'/y) === null) throw cursor.expected("hexadecimal digits and a closing '");
  if (digits.length % 2 !== 0) throw cursor.error(`expected two digits a byte: there are ${digits.length}`, start);
  const bytes = new Uint8Array(digits.length / 2);
  for (let index = 0; index < bytes.length; index++) {
    bytes[index] = parseInt(digits.slice(2 * index, 2 * index + 2), 16);
  }
  return bytes;
}

function parseWordOrNumber(cursor: Cursor, start: number): ValueNode {
  const at = cursor.place(start);
  const base = () => ({ at, source: cursor.since(start) });
  const number = parseInteger(cursor);
  const word = number === null ? cursor.match(WORD)?.[0] : undefined;
  if (number === null && word === undefined) throw cursor.expected("a value");
  if (word === "true" || word === "false") return { form: "boolean", value: word === "true", ...base() };
  if (word === "null") return { form: "null", ...base() };
  if ((word === "zero" || word === "fill") && cursor.take("(")) {
    const fill = parseFillRest(cursor, word);
    return { form: "fill", ...fill, ...base() };
  }
  const objectNumber = word === undefined ? undefined : cursor.match(NUMBER_SIGN)?.[1];
  if (word !== undefined && objectNumber !== undefined) return parseObjectWord(cursor, { word, objectNumber, start });
  const parts = [word ?? number ?? 0n];
  while (cursor.take("|")) parts.push(parsePart(cursor));
  const [only] = parts;
  if (parts.length === 1 && typeof only === "bigint") return { form: "integer", value: only, ...base() };
  return { form: "symbols", parts, ...base() };
}

function parsePart(cursor: Cursor): string | bigint {
  cursor.skipSpaces();
  const part = parseInteger(cursor) ?? cursor.match(WORD)?.[0];
  if (part === undefined) throw cursor.expected("a symbol or a number after |");
  return part;
}

function parseObjectWord(
  cursor: Cursor,
  { word, objectNumber, start }: { readonly word: string; readonly objectNumber: string; readonly start: number },
): ValueNode {
  const base = { at: cursor.place(start), source: cursor.since(start) };
  const kind = objectKind(word);
  if (kind !== null) return { form: "object", kind, number: Number(objectNumber), ...base };
  // A process as a value (SetIrql, ExitProcess): a side and not an object.
  if (baseSide(base.source) !== null) return { form: "symbols", parts: [base.source], ...base };
  throw cursor.error(`unknown object kind "${word}".${didYouMean(word, Object.keys(OBJECTS))}`, start);
}

function parseFillRest(cursor: Cursor, word: "zero" | "fill"): { readonly byte: number; readonly length: number } {
  const byte = word === "zero" ? 0 : parseBounded(cursor, { what: "a byte, 0 to 255", most: 0xff });
  if (word === "fill" && !cursor.take(",")) throw cursor.expected('"," and a length in bytes');
  const length = parseBounded(cursor, { what: `a length of up to ${MAX_FILL_BYTES} bytes`, most: MAX_FILL_BYTES });
  if (!cursor.take(")")) throw cursor.expected('")"');
  return { byte, length };
}

function parseBounded(cursor: Cursor, { what, most }: { readonly what: string; readonly most: number }): number {
  cursor.skipSpaces();
  const start = cursor.offset;
  const value = parseInteger(cursor);
  if (value === null) throw cursor.expected(what);
  if (value < 0n || value > BigInt(most)) throw cursor.error(`expected ${what}`, start);
  return Number(value);
}
