// What stands for pages: pieces of buffers, one after the other, and parts of them. It must not know calls or objects.

import { PAGE_BYTES, type Ref } from "../api/mod.ts";
import { type PageRun, sliceRuns } from "./page_runs.ts";

/** Bytes of a buffer's pages, in order. */
export interface Piece {
  readonly runs: readonly PageRun[];
  readonly byteOffset: number;
  readonly byteCount: number;
  /** The buffer's number. */
  readonly buffer: number;
}

/** What an object describes. */
export interface Extent {
  readonly pieces: readonly Piece[];
  /** Buffers that pieces can be of, each once; there may be more than pieces are of. */
  readonly buffers: readonly number[];
  readonly byteCount: number;
  /** Buffers and MDLs that it was made of. */
  readonly sources: readonly Ref[];
}

/** A whole buffer; the things that describe it are made when somebody asks: for most nobody does. */
export class WholeBuffer implements Extent {
  readonly byteCount: number;
  readonly #ref: Ref;
  readonly #runs: readonly PageRun[];
  readonly #byteOffset: number;

  constructor(ref: Ref, { runs, byteOffset, byteCount }: Pick<Piece, "runs" | "byteOffset" | "byteCount">) {
    this.byteCount = byteCount;
    this.#ref = ref;
    this.#runs = runs;
    this.#byteOffset = byteOffset;
  }

  get pieces(): readonly Piece[] {
    const { byteCount } = this;
    return [{ runs: this.#runs, byteOffset: this.#byteOffset, byteCount, buffer: this.#ref.number }];
  }

  get buffers(): readonly number[] {
    return [this.#ref.number];
  }

  get sources(): readonly Ref[] {
    return [this.#ref];
  }
}

/** A part of another extent; its pieces are worked out when somebody asks: for most nobody does. */
export class Slice implements Extent {
  readonly byteCount: number;
  readonly sources: readonly Ref[];
  readonly #whole: Pick<Extent, "pieces" | "buffers">;
  readonly #offset: number;
  #pieces: readonly Piece[] | null = null;

  constructor(
    whole: Pick<Extent, "pieces" | "buffers">,
    { offset, length, sources }: Pick<Request, "offset" | "length"> & Pick<Extent, "sources">,
  ) {
    this.#whole = whole;
    this.#offset = offset;
    this.byteCount = length;
    this.sources = sources;
  }

  get buffers(): readonly number[] {
    return this.#whole.buffers;
  }

  get pieces(): readonly Piece[] {
    this.#pieces ??= slicePieces(this.#whole.pieces, { offset: this.#offset, length: this.byteCount });
    return this.#pieces;
  }
}

/** A request for bytes that a call made: which of how many, or of what is dead or was never seen. */
export interface Request {
  readonly offset: number;
  readonly length: number;
  /** Bytes that there are, and in how many pieces. */
  readonly total: number;
  readonly pieceCount: number;
  /** What they are bytes of. */
  readonly whole: Extent;
}

/**
 * Not less than `descriptionBytes`, found without looking at pages: a piece that lies badly touches two pages more than
 * its bytes fill.
 */
export function descriptionBound({ pieceCount, length }: Request): number {
  return 24 * pieceCount + 8 * Math.ceil(length / PAGE_BYTES);
}

/** A request for a part of what there is. */
export function requestOf(
  whole: Extent,
  { offset, length }: { readonly offset: number; readonly length: number },
): Request {
  return { offset, length, total: whole.byteCount, pieceCount: whole.pieces.length, whole };
}

/** The part of a byte string over pieces; what reaches outside is cut off, but not inside the last page. */
export function slicePieces(
  pieces: readonly Piece[],
  { offset, length }: { readonly offset: number; readonly length: number },
): Piece[] {
  const part: Piece[] = [];
  let left = pieces.length;
  let start = 0;
  for (const piece of pieces) {
    left -= 1;
    const room = left === 0 ? pagesIn(piece) * PAGE_BYTES - piece.byteOffset : piece.byteCount;
    const from = Math.max(offset, start);
    const to = Math.min(offset + length, start + room);
    if (from < to) part.push(slicePiece(piece, from - start, to - from));
    start += piece.byteCount;
  }
  return part;
}

function slicePiece(piece: Piece, offset: number, length: number): Piece {
  const start = piece.byteOffset + offset;
  const first = Math.floor(start / PAGE_BYTES);
  const end = Math.ceil((start + length) / PAGE_BYTES);
  return {
    runs: sliceRuns(piece.runs, { first, count: end - first }),
    byteOffset: start % PAGE_BYTES,
    byteCount: length,
    buffer: piece.buffer,
  };
}

/** How many pages a piece has. */
export function pagesIn({ runs }: Piece): number {
  let sum = 0;
  for (const { start, end } of runs) sum += end - start;
  return sum;
}

/** The pages of pieces, in order. */
export function runsOf(pieces: readonly Piece[]): readonly PageRun[] {
  const [only] = pieces;
  return only !== undefined && pieces.length === 1 ? only.runs : pieces.flatMap((piece) => piece.runs);
}

/** A description on the wire, in bytes: a header of 8 per piece and 8 per page (kmcl.md 5.7). */
export function descriptionBytes({ whole, offset, length }: Request): number {
  return slicePieces(whole.pieces, { offset, length }).reduce((sum, piece) => sum + 8 + 8 * pagesIn(piece), 0);
}
