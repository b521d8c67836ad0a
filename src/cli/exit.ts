// How a run ends: the exit codes that scripts rely on, and which error means which of them. Must not know the verbs.

/** The exit codes of every verb; a promise to scripts. */
export const EXIT = {
  /** Nothing found, nothing diverged, no difference, written whole; also a pipe that the reader closed. */
  clean: 0,
  /** Certain findings at or above `--fail-on`, a divergence, a difference, a failed expectation. */
  found: 1,
  /** Wrong usage, a `.calls` line that does not parse, an output that exists. */
  usage: 2,
  /** A file that cannot be read, is not a trace, or is of a newer version. */
  unreadable: 3,
  /** Usable but incomplete: cut, damaged, events lost. With findings too, `found` wins. */
  incomplete: 4,
  /** A recording ended early or a result could not be written; what was recorded is kept and readable. */
  cutShort: 5,
  /** A bug of ours, outside the promised codes so that nobody takes it for a finding (sysexits' EX_SOFTWARE). */
  bug: 70,
} as const;

/** One of the exit codes. */
export type ExitCode = typeof EXIT[keyof typeof EXIT];

/** What went wrong, for the person at the terminal: printed as it stands, without a stack. */
export class CliError extends Error {
  override readonly name = "CliError";
  /** The code that the process ends with. */
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options: ErrorOptions = {}) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Error classes of lower floors by name, so that asking costs no module: the classes load with the verbs. */
const CODE_BY_NAME: ReadonlyMap<string, ExitCode> = new Map<string, ExitCode>([
  ["TraceFormatError", EXIT.unreadable],
  ["ForeignFormatError", EXIT.unreadable],
  ["JsonLinesError", EXIT.unreadable],
  ["NotationError", EXIT.usage],
]);

/** The exit code that an error means. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CliError) return error.exitCode;
  if (isClosedPipe(error)) return EXIT.clean;
  if (isDiskFull(error)) return EXIT.cutShort;
  if (isUnreadable(error)) return EXIT.unreadable;
  return error instanceof Error ? CODE_BY_NAME.get(error.name) ?? EXIT.bug : EXIT.bug;
}

/** What to print on standard error; undefined where silence is right. `verbose` adds the stack. */
export function reportOf(error: unknown, verbose: boolean): string | undefined {
  const code = exitCodeOf(error);
  if (code === EXIT.clean) return undefined;
  const message = messageOf(error);
  const stack = error instanceof Error && verbose ? `\n${stackOf(error)}` : "";
  if (code !== EXIT.bug) return message + stack;
  const hint = verbose ? "" : " Run it again with --verbose for the stack.";
  return `This is a bug of maptrail, please report it: ${message.replace(/\.$/, "")}.${hint}${stack}`;
}

function messageOf(error: unknown): string {
  if (!(error instanceof CliError) && isDiskFull(error)) {
    return "Cannot write the output: no room is left on its device.";
  }
  return error instanceof Error ? error.message : String(error);
}

function stackOf(error: Error): string {
  const own = (error.stack ?? "").split("\n").filter((line) => line.startsWith("    at ")).join("\n");
  if (!(error.cause instanceof Error)) return own;
  return `${own}\ncaused by ${error.cause.name}: ${error.cause.message}\n${stackOf(error.cause)}`;
}

/** Whether the reader of our output went away, as `head` does. */
export function isClosedPipe(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe;
}

const FULL_CODES: readonly string[] = ["ENOSPC", "EDQUOT", "EFBIG"];
/** Deno names not every error by its code: EFBIG, ENOSPC and EDQUOT as Linux numbers them. */
const FULL_MESSAGE = /\(os error (?:27|28|122)\)/;

/** Whether a device has no room left, or a quota or size limit is reached. */
export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return "code" in error && FULL_CODES.includes(String(error.code)) || FULL_MESSAGE.test(error.message);
}

/** Whether the operating system or Deno keeps us from a file. */
export function isUnreadable(error: unknown): boolean {
  const { NotFound, PermissionDenied, NotCapable, IsADirectory, NotADirectory } = Deno.errors;
  return [NotFound, PermissionDenied, NotCapable, IsADirectory, NotADirectory].some((kind) => error instanceof kind);
}
