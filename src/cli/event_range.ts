// A range of events as people type it. Must not know Optique: the short way through the words reads ranges too.

/** Event numbers, both ends included; an end left out is open. */
export interface EventRange {
  readonly first: number;
  readonly last: number;
}

const RANGE = /^@?(\d{1,15})(?:(-)(?:@?(\d{1,15}))?)?$/;

/** Reads `@A-@B`; also `@A-` (to the end) and `@A` (one event). Null for anything else; the ends may stand the wrong way round. */
export function readEventRange(input: string): EventRange | null {
  const match = RANGE.exec(input);
  if (match === null) return null;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : match[3] === undefined ? Infinity : Number(match[3]);
  return { first, last };
}
