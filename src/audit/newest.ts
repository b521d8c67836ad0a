// A map that keeps its newest entries only: what is dead may be asked about for a while, and costs no more than that.
// It must not know what it keeps.

/**
 * Entries that are kept where nobody says otherwise: twice the dead handles that the engine still names. Four times as many
 * took 40 MB of tables.
 */
export const NEWEST_KEPT = 16384;

/**
 * The newest entries by key; the oldest makes room. The order stands in a ring beside the map: taking a map's first key
 * again and again walks over all that was deleted before it.
 */
export class Newest<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #ring: K[] = [];
  readonly #limit: number;
  #oldest = 0;

  constructor(limit: number = NEWEST_KEPT) {
    this.#limit = limit;
  }

  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  /** Adds an entry; one that is there keeps its age and takes the value. */
  set(key: K, value: V): void {
    const isNew = !this.#entries.has(key);
    this.#entries.set(key, value);
    if (!isNew) return;
    if (this.#ring.length < this.#limit) {
      this.#ring.push(key);
      return;
    }
    const oldest = this.#ring[this.#oldest];
    if (oldest !== undefined) this.#entries.delete(oldest);
    this.#ring[this.#oldest] = key;
    this.#oldest = (this.#oldest + 1) % this.#limit;
  }
}
