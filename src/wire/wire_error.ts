// The one error of `wire`: bytes that cannot be what they should be. It must not know what the bytes are for.

/** Thrown for bytes that make no sense; `offset` counts from the start of the bytes that were given. */
export class WireError extends Error {
  override readonly name = "WireError";
  /** In bytes, from the start of what was read. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}
