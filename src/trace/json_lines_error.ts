// What is wrong with a line of a trace in JSON lines. It must not know what lines hold.

/** A line that is no event: which line (from 1), and what was wanted. */
export class JsonLinesError extends Error {
  override readonly name = "JsonLinesError";
  /** From 1. */
  readonly line: number;
  /** The member's path, empty where the whole line is meant. */
  readonly member: string;
  /** What was wanted, without the line. */
  readonly what: string;

  constructor(line: number, member: string, what: string) {
    super(`Cannot read line ${line}: ${what}`);
    this.line = line;
    this.member = member;
    this.what = what;
  }
}

/** A line that is no JSON at all: it was cut, or damaged; nobody's converter wrote it so. */
export class BrokenLineError extends JsonLinesError {}
