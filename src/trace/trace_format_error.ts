// The one error class for bytes that cannot be read as a trace. It knows no byte of the format.

/** Why a file cannot be read as a trace. */
export type TraceFormatReason = "not-a-trace" | "newer-version" | "damaged";

/** Thrown where a trace as a whole cannot be read; damage inside a readable trace is in its `losses` instead. */
export class TraceFormatError extends Error {
  override readonly name = "TraceFormatError";
  readonly reason: TraceFormatReason;
  /** Where the trouble is, in bytes from the start of the file. */
  readonly offset: number;
  /** Number of the block, from 0; -1: none (the header, or no trace at all). */
  readonly chunk: number;

  constructor(
    message: string,
    at: { readonly reason: TraceFormatReason; readonly offset: number; readonly chunk?: number },
  ) {
    super(message);
    this.reason = at.reason;
    this.offset = at.offset;
    this.chunk = at.chunk ?? -1;
  }
}
