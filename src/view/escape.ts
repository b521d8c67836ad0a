// Makes text from a trace safe to print: no control character of it reaches a terminal. It knows no format.

/** C0 and C1 controls, DEL, line and paragraph separators, marks that reorder text, the byte order mark, tags, lone surrogates. */
const UNPRINTABLE =
  // deno-lint-ignore no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}\p{Cs}]/gu;

/** The text with each unprintable character as `\u001b` (beyond 16 bits `\u{e0001}`); all else stays, backslashes too. */
export function escapeControls(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    const digits = (character.codePointAt(0) ?? 0).toString(16);
    return digits.length > 4 ? `\\u{${digits}}` : `\\u${digits.padStart(4, "0")}`;
  });
}
