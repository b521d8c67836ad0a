// Values by whole numbers that count up, in pages: no hashing, and a page whose values all went costs nothing. Numbers as
// values stand in typed arrays, where nobody has to trace or move them.
// It must not know what the values are.

const PAGE_BITS = 8;
const PAGE_SLOTS = 1 << PAGE_BITS;
/** Slots are numbered below this: a number is one where cutting it to 32 bits leaves it as it is. */
const SLOT_LIMIT = 2 ** 31;

/** A map from slot numbers, whole and from 0 on, to values. */
export class Slots<V> {
  /** Arrays of values alone: what is looked up was often not touched for long, and each step to it may miss the cache. */
  readonly #pages: ((V | undefined)[] | undefined)[] = [];
  /** Values in each page. */
  readonly #counts: number[] = [];
  #size = 0;

  /** The number of values. */
  get size(): number {
    return this.#size;
  }

  /** The value in a slot; undefined where there is none, and for a number that is no slot's. */
  get(slot: number): V | undefined {
    const index = slot | 0;
    return index === slot && index >= 0 ? this.#pages[index >> PAGE_BITS]?.[index & (PAGE_SLOTS - 1)] : undefined;
  }

  /** Puts a value in a slot; `RangeError` for a number that is no slot's. */
  set(slot: number, value: V): void {
    const index = slot | 0;
    if (index !== slot || index < 0) {
      throw new RangeError(`Cannot use slot ${slot}: wanted a whole number below ${SLOT_LIMIT}`);
    }
    const number = index >> PAGE_BITS;
    const page = this.#pages[number] ?? this.#addPage(number);
    const place = index & (PAGE_SLOTS - 1);
    if (page[place] === undefined) this.#count(number, 1);
    page[place] = value;
  }

  /** Empties a slot. */
  delete(slot: number): void {
    const index = slot | 0;
    if (index !== slot || index < 0) return;
    const number = index >> PAGE_BITS;
    const page = this.#pages[number];
    const place = index & (PAGE_SLOTS - 1);
    if (page === undefined || page[place] === undefined) return;
    page[place] = undefined;
    if (this.#count(number, -1) === 0) this.#pages[number] = undefined;
  }

  /** The values in order of their slots. */
  *values(): IterableIterator<V> {
    for (const page of this.#pages) {
      for (const value of page ?? []) if (value !== undefined) yield value;
    }
  }

  #count(page: number, change: 1 | -1): number {
    const count = (this.#counts[page] ?? 0) + change;
    this.#counts[page] = count;
    this.#size += change;
    return count;
  }

  #addPage(number: number): (V | undefined)[] {
    while (this.#pages.length < number) {
      this.#pages.push(undefined);
      this.#counts.push(0);
    }
    const page = new Array<V | undefined>(PAGE_SLOTS).fill(undefined);
    this.#pages[number] = page;
    this.#counts[number] = 0;
    return page;
  }
}

/** A map from slot numbers, whole and from 0 on, to numbers other than 0, which is none. */
export class NumberSlots {
  readonly #pages: (Float64Array | undefined)[] = [];
  /** Values in each page. */
  readonly #counts: number[] = [];
  /** Pages that are empty, to serve again. */
  readonly #idle: Float64Array[] = [];
  #size = 0;

  /** The number of values. */
  get size(): number {
    return this.#size;
  }

  /** The value in a slot; 0 where there is none, and for a number that is no slot's. */
  get(slot: number): number {
    const index = slot | 0;
    return index === slot && index >= 0 ? this.#pages[index >> PAGE_BITS]?.[index & (PAGE_SLOTS - 1)] ?? 0 : 0;
  }

  /** Puts a value in a slot, 0 to empty it; `RangeError` for a number that is no slot's. */
  set(slot: number, value: number): void {
    const index = slot | 0;
    if (index !== slot || index < 0) {
      throw new RangeError(`Cannot use slot ${slot}: wanted a whole number below ${SLOT_LIMIT}`);
    }
    const number = index >> PAGE_BITS;
    const place = index & (PAGE_SLOTS - 1);
    const page = this.#pages[number] ?? (value === 0 ? undefined : this.#addPage(number));
    if (page === undefined) return;
    const change = Number(value !== 0) - Number(page[place] !== 0);
    page[place] = value;
    if (change === 0) return;
    const count = (this.#counts[number] ?? 0) + change;
    this.#size += change;
    this.#counts[number] = count;
    if (count > 0) return;
    this.#pages[number] = undefined;
    this.#idle.push(page);
  }

  /** The values in order of their slots, each with its slot. */
  *entries(): IterableIterator<readonly [slot: number, value: number]> {
    for (const [number, page] of this.#pages.entries()) {
      for (const [place, value] of page?.entries() ?? []) if (value !== 0) yield [number * PAGE_SLOTS + place, value];
    }
  }

  #addPage(number: number): Float64Array {
    while (this.#pages.length < number) {
      this.#pages.push(undefined);
      this.#counts.push(0);
    }
    const page = this.#idle.pop() ?? new Float64Array(PAGE_SLOTS);
    this.#pages[number] = page;
    this.#counts[number] = 0;
    return page;
  }
}
