// Text between quotes, and text that is safe to show: what a terminal would act on, or a reader would not see, is escaped.
// It must not know values or calls.

// Controls (also of the second half of Latin-1), formatting (direction, zero width, tags), separators, lone surrogates.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const SHORT: ReadonlyMap<string, string> = new Map([["\n", "\\n"], ["\r", "\\r"], ["\t", "\\t"]]);
const LONG: ReadonlyMap<string, string> = new Map([...SHORT].map(([plain, escaped]) => [escaped.slice(1), plain]));

/** The text with every control, formatting character and lone surrogate written out: `\n`, `\u{1b}`. */
export function visibleText(text: string): string {
  return text.replace(UNSAFE, (character) => SHORT.get(character) ?? codeOf(character));
}

function codeOf(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** The text between quotes; `unquoteText` gives it back. */
export function quoteText(text: string): string {
  return `"${visibleText(text.replace(/["\\]/g, "\\$&"))}"`;
}

/** What stands between the quotes of a literal; null for an escape that is none. */
export function unquoteText(inner: string): string | null {
  let isGood = true;
  const text = inner.replace(
    /\\(?:u\{([0-9a-fA-F]{1,6})\}|([^]|$))/gu,
    (_, code: string | undefined, short: string) => {
      if (code !== undefined) {
        const point = parseInt(code, 16);
        isGood &&= point <= 0x10ffff;
        return isGood ? String.fromCodePoint(point) : "";
      }
      if (short === '"' || short === "\\") return short;
      const plain = LONG.get(short);
      isGood &&= plain !== undefined;
      return plain ?? "";
    },
  );
  return isGood ? text : null;
}
