// How a GPADL's description travels: ranges as words, words split over a header and bodies, and put together again
// (kmcl.md 5.7). It must not know channels or states; what a message means to whom is `vmbus.ts`.

/** Bytes of guest memory that follow each other logically: a range of a description. */
export interface GpadlRange {
  readonly byteCount: number;
  /** Into the first page, below 4096. */
  readonly byteOffset: number;
  readonly pages: readonly number[];
}

/** A description, split as it is sent. */
export interface GpadlMessages {
  /** Bytes of all words; 16 bits on the wire. */
  readonly rangeBytes: number;
  readonly rangeCount: number;
  /** Words of the header message, at most 27. */
  readonly header: readonly bigint[];
  /** Words of each body message, at most 28. */
  readonly bodies: readonly (readonly bigint[])[];
}

/** Words that fit a message of 240 bytes behind the fixed part: 20 bytes of a header, 16 of a body. */
export const GPADL_WORDS = { header: 27, body: 28 } as const;
/** `range_buflen` has 16 bits: what is longer wraps around. */
export const MAX_RANGE_BYTES = 0xffff;

const WORD_BYTES = 8;
const PAGE_BYTES = 4096;
const WORD_BITS = 32n;
const LOW = 0xffff_ffffn;

/** The words of ranges: of each one its byte count and offset, then its page frame numbers. */
export function gpadlWords(ranges: readonly GpadlRange[]): readonly bigint[] {
  return ranges.flatMap(({ byteCount, byteOffset, pages }) => [
    BigInt(byteCount) | BigInt(byteOffset) << WORD_BITS,
    ...pages.map(BigInt),
  ]);
}

/** Splits a description. The count of bytes is what a guest puts into 16 bits: of more than 65,535 only those are left. */
export function splitGpadl(ranges: readonly GpadlRange[]): GpadlMessages {
  const words = gpadlWords(ranges);
  const bodies: (readonly bigint[])[] = [];
  for (let at = GPADL_WORDS.header; at < words.length; at += GPADL_WORDS.body) {
    bodies.push(words.slice(at, at + GPADL_WORDS.body));
  }
  return {
    rangeBytes: WORD_BYTES * words.length & MAX_RANGE_BYTES,
    rangeCount: ranges.length,
    header: words.slice(0, GPADL_WORDS.header),
    bodies,
  };
}

/** How many body messages a description of one page-aligned range of so many pages takes. */
export function bodyCount(pages: number): number {
  return Math.ceil(Math.max(0, pages + 1 - GPADL_WORDS.header) / GPADL_WORDS.body);
}

/** A description as the host puts it together, message by message. */
export class GpadlAssembly {
  readonly #capacity: number;
  readonly #rangeCount: number;
  readonly #words: bigint[] = [];

  /** From a header message: the words that it promises, of which it brings the first. */
  constructor({ rangeBytes, rangeCount, header }: Pick<GpadlMessages, "rangeBytes" | "rangeCount" | "header">) {
    this.#capacity = Math.floor(rangeBytes / WORD_BYTES);
    this.#rangeCount = rangeCount;
    this.add(header);
  }

  /** Whether every promised word is there. */
  get isWhole(): boolean {
    return this.#words.length >= this.#capacity;
  }

  /** Takes the words of a body; those beyond what was promised are ignored, as some guests send full messages. */
  add(words: readonly bigint[]): void {
    this.#words.push(...words.slice(0, this.#capacity - this.#words.length));
  }

  /** The ranges, or why they are none; only once all words are there. Words behind the last range are ignored. */
  ranges(): readonly GpadlRange[] | { readonly trouble: string } {
    const ranges: GpadlRange[] = [];
    let at = 0;
    for (let range = 1; range <= this.#rangeCount; range += 1) {
      const word = this.#words[at];
      if (word === undefined) return { trouble: `range ${range} of ${this.#rangeCount} is empty` };
      const byteCount = Number(word & LOW);
      const byteOffset = Number(word >> WORD_BITS);
      const pages = Math.ceil((byteOffset + byteCount) / PAGE_BYTES);
      if (byteCount === 0) return { trouble: `range ${range} has 0 bytes` };
      if (byteOffset >= PAGE_BYTES) return { trouble: `range ${range} begins at byte ${byteOffset} of a page` };
      if (at + 1 + pages > this.#words.length) {
        return { trouble: `range ${range} has ${this.#words.length - at - 1} of ${pages} pages` };
      }
      ranges.push({ byteCount, byteOffset, pages: this.#words.slice(at + 1, at + 1 + pages).map(Number) });
      at += 1 + pages;
    }
    return ranges;
  }
}
