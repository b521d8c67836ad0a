// The one error class for foreign bytes or text that an importer cannot use. It knows no format.

/** Thrown when a foreign log as a whole cannot be read; damage inside a readable log is reported as data instead. */
export class ForeignFormatError extends Error {
  override readonly name = "ForeignFormatError";
  /** Where the trouble is, in bytes from the start of the file. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}
