// The door of `diff`.

export { diff, type Difference, type DiffResult, LOOKAHEAD } from "./diff.ts";
