// One line of strace's output as what it says: who, when, which call with which arguments and result. It must not know ioctls.
//
// Shapes: `ioctl(3, …) = 0`, in front of it `[pid 12] ` or `12 `, a time of -t, -tt, -ttt or -r; behind it an error's name and
// `<0.000012>`. Calls that another thread's line cut in two are `<unfinished ...>` and `<... ioctl resumed>`.

/** What a line is. */
export type StraceLine =
  | { readonly form: "call"; readonly pid: string; readonly timeNs: bigint | null; readonly call: StraceCall }
  | {
    readonly form: "unfinished" | "resumed";
    readonly pid: string;
    readonly timeNs: bigint | null;
    readonly name: string;
    readonly text: string;
  }
  | { readonly form: "other" }
  | { readonly form: "odd" };

/** A call that returned. */
export interface StraceCall {
  readonly name: string;
  /** What stood between its parentheses. */
  readonly text: string;
  /** A number of 0 or above, or a negative errno's name; null: it never returned. */
  readonly result: number | string | null;
}

const PREFIX = /^(?:\[pid\s+(\d+)\]\s+|(\d+)\s+(?=[\d:.]+\s|[a-z<+-]))?(?:(\d\d:\d\d:\d\d(?:\.\d+)?|\d+\.\d+)\s+)?/;
const CALL = /^([a-z_]\w*)\((.*)\)\s+= (\?|-?\d+|0x[\da-f]+)(?:<[^>]*>)?(?: (E[A-Z0-9]+|[A-Z]\w*))?\b.*$/;
const UNFINISHED = /^([a-z_]\w*)\((.*?)\s*<unfinished \.\.\.>$/;
const RESUMED = /^<\.\.\. ([a-z_]\w*) resumed>\s?(.*)$/;
const OTHER = /^(?:---|\+\+\+|strace:|#)/;
const NANOSECONDS = 1_000_000_000n;

/** Reads a line. An empty one, a signal, an exit, a remark is another one; what is none of strace's lines is odd. */
export function parseStraceLine(line: string): StraceLine {
  const [prefix = "", bracketed, plain, clock] = PREFIX.exec(line) ?? [];
  const rest = line.slice(prefix.length).trimEnd();
  if (rest === "" || OTHER.test(line) || OTHER.test(rest)) return { form: "other" };
  const [pid, timeNs] = [bracketed ?? plain ?? "", clock === undefined ? null : nanoseconds(clock)];
  const [, resumed, tail = ""] = RESUMED.exec(rest) ?? [];
  if (resumed !== undefined) return { form: "resumed", pid, timeNs, name: resumed, text: tail };
  const [, begun, head = ""] = UNFINISHED.exec(rest) ?? [];
  if (begun !== undefined) return { form: "unfinished", pid, timeNs, name: begun, text: head };
  const call = parseStraceCall(rest);
  return call === null ? { form: "odd" } : { form: "call", pid, timeNs, call };
}

/** A call with its result, as one text; null: it is none. */
export function parseStraceCall(text: string): StraceCall | null {
  const [, name, inside = "", result = "", error] = CALL.exec(text) ?? [];
  if (name === undefined) return null;
  if (result === "?") return { name, text: inside, result: null };
  return { name, text: inside, result: result === "-1" && error !== undefined ? error : Number(result) };
}

/** A time of day, seconds since 1970, or seconds since the line before: as nanoseconds, never as a fraction. */
function nanoseconds(clock: string): bigint {
  const [whole = "0", fraction = ""] = clock.split(".");
  const seconds = whole.split(":").reduce((sum, part) => sum * 60n + BigInt(part), 0n);
  return seconds * NANOSECONDS + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
}
