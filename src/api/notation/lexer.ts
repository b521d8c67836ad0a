// A line of notation, read from left to right: words, numbers, punctuation, and an error that says where.
// It must not know which calls, symbols or sides there are.

import { NotationError } from "./notation_error.ts";
import type { Place } from "./syntax.ts";

/** A place to read from, in one line. */
export class Cursor {
  readonly #file: string;
  readonly #line: number;
  readonly #text: string;
  #offset: number;

  constructor({ file, line, text }: Omit<Place, "column">) {
    this.#file = file;
    this.#line = line;
    this.#text = text;
    this.#offset = 0;
  }

  /** Characters from the line's start. */
  get offset(): number {
    return this.#offset;
  }

  /** The place of an offset, or of what comes next. */
  place(offset: number = this.#offset): Place {
    return { file: this.#file, line: this.#line, column: offset + 1, text: this.#text };
  }

  /** What is written from an offset up to here. */
  since(offset: number): string {
    return this.#text.slice(offset, this.#offset).trimEnd();
  }

  /** Passes over spaces; says whether there were any. */
  skipSpaces(): boolean {
    return this.match(/[ \t]+/y) !== null;
  }

  /** Reads what a sticky pattern matches here; null, and nothing is read, where it does not. */
  match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#offset;
    const match = pattern.exec(this.#text);
    if (match !== null) this.#offset += match[0].length;
    return match;
  }

  /** Whether a sticky pattern matches here; nothing is read. */
  looksAt(pattern: RegExp): boolean {
    pattern.lastIndex = this.#offset;
    return pattern.test(this.#text);
  }

  /** Reads this punctuation, with spaces before it; false, and only spaces are read, where it does not stand here. */
  take(mark: string): boolean {
    this.skipSpaces();
    if (!this.#text.startsWith(mark, this.#offset)) return false;
    this.#offset += mark.length;
    return true;
  }

  /** Reads a word, with spaces before it, if it is this one and ends here. */
  takeWord(word: string): boolean {
    this.skipSpaces();
    if (!this.#text.startsWith(word, this.#offset)) return false;
    if (/[\w#$|-]/.test(this.#text[this.#offset + word.length] ?? " ")) return false;
    this.#offset += word.length;
    return true;
  }

  /** Whether nothing but spaces and a comment is left. */
  atEnd(): boolean {
    this.skipSpaces();
    const next = this.#text[this.#offset];
    return next === undefined || (next === "#" && /[ \t]/.test(this.#text[this.#offset - 1] ?? " "));
  }

  /** The error that this was expected here. */
  expected(what: string): NotationError {
    this.skipSpaces();
    const rest = this.#text.slice(this.#offset);
    const found = /^[\w#$-]+|^[^]/u.exec(rest)?.[0];
    return this.error(`expected ${what}, found ${found === undefined ? "the end of the line" : `"${found}"`}`);
  }

  /** The error of what stands at an offset, or comes next. */
  error(message: string, offset: number = this.#offset): NotationError {
    return new NotationError(message, this.place(offset));
  }
}
