// First in, first out. It must not know what it keeps.

/** Beyond as many values that are gone, and where they are more than what is left, room is made. */
const GONE_KEPT = 1024;

/** A queue; adding and taking are cheap however long it is. */
export class Queue<V> {
  #values: V[] = [];
  #gone = 0;

  /** How many values there are. */
  get size(): number {
    return this.#values.length - this.#gone;
  }

  /** The oldest, or undefined. */
  get first(): V | undefined {
    return this.#values[this.#gone];
  }

  push(value: V): void {
    this.#values.push(value);
  }

  /** Takes the oldest, or undefined. */
  shift(): V | undefined {
    const value = this.#values[this.#gone];
    if (value === undefined) return undefined;
    this.#gone += 1;
    if (this.#gone > GONE_KEPT && this.#gone > this.size) {
      this.#values = this.#values.slice(this.#gone);
      this.#gone = 0;
    }
    return value;
  }
}
