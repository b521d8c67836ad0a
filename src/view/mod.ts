// The door of `view`: traces and findings as text.

export { type CallPrinter, dumpLines, type DumpOptions, type DumpSource } from "./dump.ts";
export { escapeText } from "./escape.ts";
