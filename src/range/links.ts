// What a tree keeps of values: a whole number of 31 bits for each range, its link. Either the link stands for a value in a
// table, or it is the value. It must not know ranges.

/** How links and values go together. */
export interface Links<V> {
  /** A link for a value that comes in. */
  hold(value: V): number;
  /** A second link to the same value: its range was cut in two. */
  again(link: number): number;
  /** The value behind a link that is held. */
  valueOf(link: number): V;
  /** The range of a link is gone. */
  drop(link: number): void;
}

/** Tells the compiler that a slot in use holds what was put there: `undefined` too may be a value. */
function isHeld<V>(values: readonly (V | undefined)[], link: number, _value: V | undefined): _value is V {
  return link < values.length;
}

/** Any values, in a table; links that were dropped serve again. */
export class Values<V> implements Links<V> {
  readonly #values: (V | undefined)[] = [];
  readonly #idle: number[] = [];

  hold(value: V): number {
    const link = this.#idle.pop() ?? this.#values.length;
    this.#values[link] = value;
    return link;
  }

  again(link: number): number {
    return this.hold(this.valueOf(link));
  }

  valueOf(link: number): V {
    const value = this.#values[link];
    if (isHeld(this.#values, link, value)) return value;
    throw new Error(`Cannot read value ${link}: the tree holds ${this.#values.length}`);
  }

  drop(link: number): void {
    this.#values[link] = undefined;
    this.#idle.push(link);
  }
}

/** Values that are whole numbers of 31 bits themselves: no table, so that reading one costs no cache miss more. */
export class Numbers implements Links<number> {
  hold(value: number): number {
    if ((value | 0) === value) return value;
    throw new RangeError(`Cannot hold ${value}: wanted a whole number of 31 bits`);
  }

  again(link: number): number {
    return link;
  }

  valueOf(link: number): number {
    return link;
  }

  drop(): void {}
}
