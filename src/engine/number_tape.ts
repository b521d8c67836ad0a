// A flat list of numbers that state is written to and read back from, in one order: the plain form of large structures.
// It must not know what the numbers stand for.

/** A number of a tape; 64-bit values are bigint. */
export type TapeValue = number | bigint;

/** Reads a tape from its start; `RangeError` with the position where it does not hold what is asked for. */
export class TapeReader {
  readonly #values: readonly TapeValue[];
  #position = 0;

  constructor(values: readonly TapeValue[]) {
    this.#values = values;
  }

  /** The next value, a safe integer. */
  number(): number {
    const value = this.#values[this.#position++];
    if (typeof value === "number" && Number.isSafeInteger(value)) return value;
    throw new RangeError(`Cannot read tape at ${this.#position - 1}: ${String(value)} is no safe integer`);
  }

  /** The next value, of 64 bits; one that a codec narrowed to a number counts as well. */
  bigint(): bigint {
    const value = this.#values[this.#position];
    if (typeof value !== "bigint") return BigInt(this.number());
    this.#position++;
    return value;
  }

  /** What `read` makes of the next values, as often as the count before them says. */
  list<T>(read: () => T): T[] {
    const count = this.number();
    if (count < 0 || count > this.#values.length - this.#position) {
      throw new RangeError(
        `Cannot read tape at ${this.#position - 1}: ${count} elements, ${this.#values.length - this.#position} left`,
      );
    }
    return Array.from({ length: count }, () => read());
  }

  /** `RangeError` unless everything was read. */
  end(): void {
    if (this.#position === this.#values.length) return;
    throw new RangeError(`Cannot read tape: ${this.#values.length - this.#position} values are left over`);
  }
}
