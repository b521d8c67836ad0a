// What may reach a terminal or a script: text in which nothing acts on the reader's screen. Names in traces, messages of
// programs and paths are other people's words, so every line that is printed passes here. Must not know what it says.

// Controls (also of the second half of Latin-1), formatting (direction, zero width, tags), separators, lone surrogates.
const UNSAFE = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const ESCAPE = "\x1b";
const COLOR = new RegExp(`(${ESCAPE}\\[[\\d;]*m)`);
const PLAIN = /^[\x20-\x7e\n\t]*$/;

/** The text with what a terminal would act on written out, as `\u{1b}`; with `keepsColor` our own colours stay. */
export function printable(text: string, options: { readonly keepsColor?: boolean } = {}): string {
  if (PLAIN.test(text)) return text;
  if (options.keepsColor !== true) return text.replace(UNSAFE, codeOf);
  return text.split(COLOR).map((part, index) => index % 2 === 1 ? part : part.replace(UNSAFE, codeOf)).join("");
}

function codeOf(character: string): string {
  if (character === "\r") return "\\r";
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** JSON in which what JSON leaves as it is, and a terminal would act on, is escaped too: the value stays the same. */
export function printableJson(json: string): string {
  return PLAIN.test(json) ? json : json.replace(UNSAFE, unitsOf);
}

function unitsOf(character: string): string {
  return character.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
}
