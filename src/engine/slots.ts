// Values by whole numbers that count up, in pages: no hashing, and a page whose values all went costs nothing.
// It must not know what the values are.

const PAGE_BITS = 8;
const PAGE_SLOTS = 1 << PAGE_BITS;
/** Slots are numbered below this, so that a page is found with whole numbers of 32 bits. */
const SLOT_LIMIT = 2 ** 31;

interface Page<V> {
  readonly values: (V | undefined)[];
  count: number;
}

/** A map from slot numbers, whole and from 0 on, to values. */
export class Slots<V> {
  readonly #pages: (Page<V> | undefined)[] = [];
  #size = 0;

  /** The number of values. */
  get size(): number {
    return this.#size;
  }

  /** The value in a slot; undefined where there is none, and for a number that is no slot's. */
  get(slot: number): V | undefined {
    return isSlot(slot) ? this.#pages[slot >> PAGE_BITS]?.values[slot & (PAGE_SLOTS - 1)] : undefined;
  }

  /** Puts a value in a slot; `RangeError` for a number that is no slot's. */
  set(slot: number, value: V): void {
    if (!isSlot(slot)) throw new RangeError(`Cannot use slot ${slot}: wanted a whole number below ${SLOT_LIMIT}`);
    const page = this.#pages[slot >> PAGE_BITS] ?? this.#addPage(slot >> PAGE_BITS);
    const index = slot & (PAGE_SLOTS - 1);
    if (page.values[index] === undefined) {
      page.count += 1;
      this.#size += 1;
    }
    page.values[index] = value;
  }

  /** Empties a slot. */
  delete(slot: number): void {
    if (this.get(slot) === undefined) return;
    const page = this.#pages[slot >> PAGE_BITS];
    if (page === undefined) return;
    page.values[slot & (PAGE_SLOTS - 1)] = undefined;
    page.count -= 1;
    this.#size -= 1;
    if (page.count === 0) this.#pages[slot >> PAGE_BITS] = undefined;
  }

  /** The values in order of their slots. */
  *values(): IterableIterator<V> {
    for (const page of this.#pages) {
      for (const value of page?.values ?? []) if (value !== undefined) yield value;
    }
  }

  #addPage(number: number): Page<V> {
    while (this.#pages.length < number) this.#pages.push(undefined);
    const page: Page<V> = { values: new Array<V | undefined>(PAGE_SLOTS).fill(undefined), count: 0 };
    this.#pages[number] = page;
    return page;
  }
}

function isSlot(slot: number): boolean {
  return Number.isInteger(slot) && slot >= 0 && slot < SLOT_LIMIT;
}
