// The pieces of the Deno standard library that the command line uses. It reaches us through npm without types, so
// their types stand here, once. Only what costs nothing at startup belongs here.
import { format as plainDuration } from "@std/fmt/duration.js";
import { stripAnsiCode as plainStrip } from "@std/fmt/colors.js";

/** Milliseconds as `1m 39s`; nothing for parts that are zero. */
export const formatDuration: (milliseconds: number, options?: { readonly ignoreZero?: boolean }) => string =
  plainDuration;
/** The text without its escape sequences of colour. */
export const stripAnsiCode: (text: string) => string = plainStrip;
