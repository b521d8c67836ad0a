// A seeded generator of random numbers (splitmix32): one seed, one sequence, on every machine.

/** A source of randomness that a schedule or a program is given. */
export class Random {
  #state: number;

  /** `seed`: any whole number from 0 to 2^32-1. */
  constructor(seed: number) {
    if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
      throw new RangeError(`Cannot seed with ${seed}: a seed is a whole number from 0 to ${0xffffffff}`);
    }
    this.#state = seed >>> 0;
  }

  /** A number from 0 to 2^32-1. */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }

  /** A whole number from 0 to `bound`-1; `bound` is 1 to 2^32. */
  below(bound: number): number {
    if (!Number.isInteger(bound) || bound < 1 || bound > 0x100000000) {
      throw new RangeError(`Cannot draw below ${bound}: a bound is 1 to 2^32`);
    }
    return Math.floor((this.next() / 0x100000000) * bound);
  }

  /** One of `choices`; `RangeError` for none. */
  pick<T>(choices: readonly T[]): T {
    const picked = choices[this.below(Math.max(choices.length, 1))];
    if (picked === undefined) throw new RangeError("Cannot pick from nothing");
    return picked;
  }
}
