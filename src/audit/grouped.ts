// Values by key, where most keys have one value: only a second one makes a set. It must not know what it keeps.

import { NumberMap } from "./number_map.ts";
import type { ValuesByNumber } from "./row_values.ts";

/** Values by key, each once, those that came first first. A value must not be a set itself. */
export class Grouped<V> {
  readonly #groups: ValuesByNumber<V | Set<V>>;

  /** `groups`: where the values stand. */
  constructor(groups: ValuesByNumber<V | Set<V>> = new NumberMap<V | Set<V>>()) {
    this.#groups = groups;
  }

  /** Adds a value to a key's. */
  add(key: number, value: V): void {
    const held = this.#groups.get(key);
    if (held === undefined) this.#groups.set(key, value);
    else if (held instanceof Set) held.add(value);
    else if (held !== value) this.#groups.set(key, new Set([held, value]));
  }

  /** Takes a value from a key's. */
  delete(key: number, value: V): void {
    const held = this.#groups.get(key);
    if (held instanceof Set) {
      held.delete(value);
      if (held.size === 0) this.#groups.delete(key);
    } else if (held === value) this.#groups.delete(key);
  }

  /** Whether a key has any. */
  has(key: number): boolean {
    return this.#groups.has(key);
  }

  /** A key's values. */
  of(key: number): Iterable<V> {
    const held = this.#groups.get(key);
    if (held === undefined) return [];
    return held instanceof Set ? held : [held];
  }
}
