// Values by number, for tables that an audit asks several times an event. Objects are numbered one after the other and end
// in any order: a table with open addresses finds one in one or two looks, and making and ending them allocates nothing,
// where a `Map` is copied again and again for what was deleted. It must not know what it keeps.

const FIRST_SLOTS = 32;
/** No key. */
const EMPTY = Infinity;
/** 2^32 divided by the golden ratio: spreads numbers that follow each other. */
const SPREAD = 0x9e3779b1;

/** Values by number, finite ones only. It has no order: who walks it sorts. */
export class NumberMap<V> {
  #keys = new Float64Array(FIRST_SLOTS).fill(EMPTY);
  #values: (V | undefined)[] = new Array(FIRST_SLOTS).fill(undefined);
  #mask = FIRST_SLOTS - 1;
  #shift = 32 - Math.log2(FIRST_SLOTS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: number): V | undefined {
    const keys = this.#keys;
    for (let slot = Math.imul(key, SPREAD) >>> this.#shift;; slot = (slot + 1) & this.#mask) {
      const found = keys[slot];
      if (found === key) return this.#values[slot];
      if (found === EMPTY) return undefined;
    }
  }

  has(key: number): boolean {
    return this.get(key) !== undefined;
  }

  set(key: number, value: V): void {
    const keys = this.#keys;
    let slot = Math.imul(key, SPREAD) >>> this.#shift;
    for (let found = keys[slot]; found !== EMPTY; found = keys[slot]) {
      if (found === key) {
        this.#values[slot] = value;
        return;
      }
      slot = (slot + 1) & this.#mask;
    }
    keys[slot] = key;
    this.#values[slot] = value;
    this.#size += 1;
    if (2 * this.#size > this.#mask) this.#grow();
  }

  /** Takes a key out; whether it was there. What stands behind it moves up, so that nothing is left of it. */
  delete(key: number): boolean {
    const keys = this.#keys;
    const mask = this.#mask;
    let hole = Math.imul(key, SPREAD) >>> this.#shift;
    for (let found = keys[hole]; found !== key; found = keys[hole]) {
      if (found === EMPTY) return false;
      hole = (hole + 1) & mask;
    }
    for (let slot = (hole + 1) & mask;; slot = (slot + 1) & mask) {
      const next = keys[slot] ?? EMPTY;
      if (next === EMPTY) break;
      const wanted = Math.imul(next, SPREAD) >>> this.#shift;
      if (((slot - wanted) & mask) < ((slot - hole) & mask)) continue;
      keys[hole] = next;
      this.#values[hole] = this.#values[slot];
      hole = slot;
    }
    keys[hole] = EMPTY;
    this.#values[hole] = undefined;
    this.#size -= 1;
    return true;
  }

  /** All keys, ascending. */
  keys(): readonly number[] {
    return [...this.#keys.filter((key) => key !== EMPTY).sort()];
  }

  /** All values, by key ascending. */
  values(): readonly V[] {
    const values: V[] = [];
    for (const key of this.keys()) {
      const value = this.get(key);
      if (value !== undefined) values.push(value);
    }
    return values;
  }

  clear(): void {
    this.#keys.fill(EMPTY);
    this.#values.fill(undefined);
    this.#size = 0;
  }

  #grow(): void {
    const keys = this.#keys;
    const values = this.#values;
    const slots = 2 * keys.length;
    this.#keys = new Float64Array(slots).fill(EMPTY);
    this.#values = new Array(slots).fill(undefined);
    this.#mask = slots - 1;
    this.#shift -= 1;
    this.#size = 0;
    for (let slot = 0; slot < keys.length; slot += 1) {
      const key = keys[slot];
      const value = values[slot];
      if (key !== undefined && key !== EMPTY && value !== undefined) this.set(key, value);
    }
  }
}
