// A source file as the rules see it: its text, its code with strings and comments blanked, its comments alone.
// It must not know any rule; positions in all three are the same, so that a rule can report a line of any of them.

/** A text file of the tree. */
export interface TextFile {
  /** From the root, with `/` between folders. */
  readonly path: string;
  readonly text: string;
}

/** An import or a re-export: what it names and where. */
export interface ImportSpot {
  readonly specifier: string;
  readonly line: number;
}

/** A TypeScript file, scanned once. */
export interface SourceFile extends TextFile {
  /** The text with comments and the insides of strings and regular expressions blanked. */
  readonly code: string;
  /** The text with all but comments blanked. */
  readonly comments: string;
  readonly lines: readonly string[];
  readonly imports: readonly ImportSpot[];
  /** The 1-based line of an index into any of the texts. */
  lineAt(index: number): number;
  /** The index of the bracket that closes the one at this index, or -1. */
  closing(index: number): number;
  /** The index of the bracket that opens the one at this index, or -1. */
  opening(index: number): number;
}

/** Scans a file. */
export function scanSource({ path, text }: TextFile): SourceFile {
  const { code, comments } = new Scanner(text).scan();
  const starts = lineStarts(text);
  const partners = matchBrackets(code);
  const lineAt = (index: number) => lineOf(starts, index);
  return {
    path,
    text,
    code,
    comments,
    lines: text.split("\n"),
    imports: findImports(text, code, lineAt),
    lineAt,
    closing: (index) => partners.closing.get(index) ?? -1,
    opening: (index) => partners.opening.get(index) ?? -1,
  };
}

const PLAIN = /[^"'`/{}]+/y;
const BEFORE_EXPRESSION =
  /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|delete|void|throw|else|do|yield|await))$/;

type Kind = "code" | "comment" | "hidden";

class Scanner {
  readonly #text: string;
  readonly #code: string[] = [];
  readonly #comments: string[] = [];
  /** Depth of braces at which each open template goes on. */
  readonly #templates: number[] = [];
  #depth = 0;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): { readonly code: string; readonly comments: string } {
    while (this.#at < this.#text.length) this.#step();
    return { code: this.#code.join(""), comments: this.#comments.join("") };
  }

  #step(): void {
    const char = this.#text[this.#at];
    if (char === '"' || char === "'") return this.#readString(char);
    if (char === "`") return this.#readTemplate();
    if (char === "/") return this.#readSlash();
    if (char === "{" || char === "}") return this.#readBrace(char);
    PLAIN.lastIndex = this.#at;
    this.#emit("code", PLAIN.exec(this.#text)?.[0].length ?? 1);
  }

  #readBrace(char: "{" | "}"): void {
    this.#depth += char === "{" ? 1 : -1;
    this.#emit("code", 1);
    if (char === "{" || this.#templates.at(-1) !== this.#depth) return;
    this.#templates.pop();
    this.#readTemplateText();
  }

  #readString(quote: string): void {
    this.#emit("code", 1);
    this.#hideUntil((char) => char === quote || char === "\n");
    this.#emit("code", 1);
  }

  #readTemplate(): void {
    this.#emit("code", 1);
    this.#readTemplateText();
  }

  /** Text of a template up to its end or to the next `${`. */
  #readTemplateText(): void {
    this.#hideUntil((char, next) => char === "`" || (char === "$" && next === "{"));
    if (this.#text[this.#at] === "`") return this.#emit("code", 1);
    this.#templates.push(this.#depth);
    this.#depth += 1;
    this.#emit("hidden", 1);
    this.#emit("code", 1);
  }

  #readSlash(): void {
    const next = this.#text[this.#at + 1];
    if (next === "/") return this.#emit("comment", lengthTo(this.#text, "\n", this.#at));
    if (next === "*") return this.#emit("comment", lengthTo(this.#text, "*/", this.#at + 2) + 4);
    const before = this.#text.slice(Math.max(0, this.#at - 80), this.#at).trimEnd();
    this.#emit("code", 1);
    if (BEFORE_EXPRESSION.test(before)) this.#readPattern();
  }

  #readPattern(): void {
    let inClass = false;
    this.#hideUntil((char) => {
      if (char === "[") inClass = true;
      if (char === "]") inClass = false;
      return (char === "/" && !inClass) || char === "\n";
    });
    this.#emit("code", 1);
  }

  /** Hides characters, escapes included, up to the one that ends. */
  #hideUntil(ends: (char: string, next: string) => boolean): void {
    let end = this.#at;
    while (end < this.#text.length && !ends(this.#text.charAt(end), this.#text.charAt(end + 1))) {
      end += this.#text[end] === "\\" ? 2 : 1;
    }
    this.#emit("hidden", Math.min(end, this.#text.length) - this.#at);
  }

  #emit(kind: Kind, length: number): void {
    if (length === 0) return;
    const part = this.#text.slice(this.#at, this.#at + length);
    const blank = part.replace(/[^\n]/g, " ");
    this.#code.push(kind === "code" ? part : blank);
    this.#comments.push(kind === "comment" ? part : blank);
    this.#at += part.length === 0 ? 1 : part.length;
  }
}

function lengthTo(text: string, end: string, from: number): number {
  const found = text.indexOf(end, from);
  return (found < 0 ? text.length : found) - from;
}

function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

function lineOf(starts: readonly number[], index: number): number {
  let low = 0;
  let high = starts.length;
  while (low + 1 < high) {
    const middle = (low + high) >> 1;
    if ((starts[middle] ?? 0) <= index) low = middle;
    else high = middle;
  }
  return low + 1;
}

interface Partners {
  readonly closing: ReadonlyMap<number, number>;
  readonly opening: ReadonlyMap<number, number>;
}

function matchBrackets(code: string): Partners {
  const closing = new Map<number, number>();
  const opening = new Map<number, number>();
  const open: number[] = [];
  for (const { index, 0: char } of code.matchAll(/[()[\]{}]/g)) {
    if ("([{".includes(char)) {
      open.push(index);
      continue;
    }
    const start = open.pop();
    if (start === undefined) continue;
    closing.set(start, index);
    opening.set(index, start);
  }
  return { closing, opening };
}

function findImports(text: string, code: string, lineAt: (index: number) => number): readonly ImportSpot[] {
  return [...code.matchAll(/\b(?:from|import)\s*\(?\s*"( *)"/g)].map(({ index, 0: whole, 1: blank = "" }) => {
    const end = index + whole.lastIndexOf('"');
    return { specifier: text.slice(end - blank.length, end), line: lineAt(index) };
  });
}
