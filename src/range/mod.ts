// The door of `range`: what other folders may use of it. It knows no word of the field, only numbers and values.
export { RANGE_LIMIT } from "./tree.ts";
export type { Range } from "./tree.ts";
export type { Links } from "./links.ts";
export { RangeMap } from "./range_map.ts";
export type { GapQuery } from "./search.ts";
