// Makes text from a trace safe to print: no control character of it reaches a terminal. It knows no format.

/** Controls of both halves of Latin-1, what formats or hides text (direction, zero width, tags), separators, lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const SHORT: ReadonlyMap<string, string> = new Map([["\n", "\\n"], ["\r", "\\r"], ["\t", "\\t"]]);

/** The text with each unprintable character written out, as the notation does: `\n`, `\u{1b}`. All else stays, backslashes too. */
export function escapeText(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    return SHORT.get(character) ?? `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
}
