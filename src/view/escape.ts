// Makes text from a trace safe to print: no control character of it reaches a terminal. The rule is the notation's.

/** The text with each character that a terminal would act on, or a reader would not see, written out: `\n`, `\u{1b}`. */
export { visibleText as escapeText } from "../api/mod.ts";
