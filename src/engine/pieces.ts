// Byte strings over pages: pieces, parts of them, and where their bytes lie. Numbers as long as nobody asks which pages:
// most GPADLs and MDLs come and go without that. It must not know what the pages hold.

import { PAGE_BYTES } from "../api/mod.ts";
import type { PartOfPieces, Piece } from "./objects.ts";

const NO_PIECES: readonly Piece[] = [];

/** Bytes inside one page. */
export interface PageRun {
  readonly page: number;
  readonly offset: number;
  readonly length: number;
}

/** Where a part of a piece's bytes lies: runs inside single pages, in order. */
export function runsOf(
  pieces: readonly Piece[],
  { offset, length }: { readonly offset: number; readonly length: number },
): PageRun[] {
  const runs: PageRun[] = [];
  let skip = offset;
  let left = length;
  for (let index = 0; index < pieces.length; index += 1) {
    const piece = pieces[index];
    if (piece === undefined) break;
    const isLast = index === pieces.length - 1;
    const room = isLast ? pagesIn(piece) * PAGE_BYTES - piece.byteOffset : piece.byteCount;
    if (skip < room) {
      const taken = Math.min(left, room - skip);
      addRuns(runs, piece, { offset: skip, length: taken });
      left -= taken;
      skip = 0;
      if (left === 0) return runs;
    } else skip -= room;
  }
  return left === 0 ? runs : [];
}

function addRuns(
  runs: PageRun[],
  piece: Piece,
  { offset, length }: { readonly offset: number; readonly length: number },
): void {
  let at = piece.byteOffset + offset;
  let left = length;
  while (left > 0) {
    const page = pageAt(piece, Math.floor(at / PAGE_BYTES));
    if (page === undefined) break;
    const inPage = at % PAGE_BYTES;
    const taken = Math.min(left, PAGE_BYTES - inPage);
    runs.push({ page, offset: inPage, length: taken });
    at += taken;
    left -= taken;
  }
}

/** How many pages a piece has. */
function pagesIn(piece: Piece): number {
  return piece instanceof RunOfPages ? pageCountOf(piece) : piece.pages.length;
}

/** A page of a piece, undefined behind its last; of a run it is a sum, so that one write lists no pages. */
function pageAt(piece: Piece, index: number): number | undefined {
  if (!(piece instanceof RunOfPages)) return piece.pages[index];
  return index < pageCountOf(piece) ? piece.firstPage + index : undefined;
}

/** How many pages the bytes of a piece touch. */
export function pageCountOf({ byteOffset, byteCount }: Pick<Piece, "byteOffset" | "byteCount">): number {
  return Math.ceil((byteOffset + byteCount) / PAGE_BYTES);
}

/** The pages from the first to the last byte of a part of a piece. */
function slicePiece(piece: Piece, offset: number, byteCount: number): Piece {
  const start = piece.byteOffset + offset;
  const firstPage = Math.floor(start / PAGE_BYTES);
  const byteOffset = start % PAGE_BYTES;
  if (piece instanceof RunOfPages) return new RunOfPages(piece.firstPage + firstPage, byteOffset, byteCount);
  const pages = piece.pages.slice(firstPage, firstPage + pageCountOf({ byteOffset, byteCount }));
  return { pages, byteOffset, byteCount };
}

/** Whether a byte string over pieces has these bytes, at least one. */
export function holds(pieces: readonly Piece[], startOffset: number, byteCount: number): boolean {
  let total = 0;
  for (const piece of pieces) total += piece.byteCount;
  return byteCount > 0 && startOffset + byteCount <= total;
}

/** The pieces of a part; none where what it was a part of was let go. */
export function piecesOf({ whole, startOffset, byteCount }: PartOfPieces): readonly Piece[] {
  const end = startOffset + byteCount;
  const part: Piece[] = [];
  let start = 0;
  for (const piece of whole) {
    const from = Math.max(startOffset, start);
    const to = Math.min(end, start + piece.byteCount);
    if (from < to) part.push(slicePiece(piece, from - start, to - from));
    start += piece.byteCount;
  }
  return part.length === 0 ? NO_PIECES : part;
}

/** How many pieces a part has, and how many pages they touch in all; lists neither. */
export function extentOf({ whole, startOffset, byteCount }: PartOfPieces): { pieces: number; pages: number } {
  const extent = { pieces: 0, pages: 0 };
  let start = 0;
  for (const piece of whole) {
    const from = Math.max(startOffset, start) - start;
    const to = Math.min(startOffset + byteCount, start + piece.byteCount) - start;
    if (from < to) {
      extent.pieces += 1;
      extent.pages += pageCountOf({ byteOffset: (piece.byteOffset + from) % PAGE_BYTES, byteCount: to - from });
    }
    start += piece.byteCount;
  }
  return extent;
}

/** A piece as plain data, for a snapshot. */
export function plainPiece(piece: Piece): Piece {
  const { byteOffset, byteCount } = piece;
  return { pages: piece instanceof RunOfPages ? piece.list() : piece.pages, byteOffset, byteCount };
}

/** A piece out of plain data, as it was. */
export function livingPiece(plain: Piece): Piece {
  const { pages, byteOffset, byteCount } = plain;
  const [first] = pages;
  const isRun = first !== undefined && pages.length === pageCountOf(plain) &&
    pages.every((page, index) => page === first + index);
  return isRun ? new RunOfPages(first, byteOffset, byteCount) : { pages: [...pages], byteOffset, byteCount };
}

/** Pages that follow each other: two numbers, until somebody asks for the list. */
export class RunOfPages implements Piece {
  readonly firstPage: number;
  readonly byteOffset: number;
  readonly byteCount: number;
  #pages: readonly number[] | null = null;

  constructor(firstPage: number, byteOffset: number, byteCount: number) {
    this.firstPage = firstPage;
    this.byteOffset = byteOffset;
    this.byteCount = byteCount;
  }

  get pages(): readonly number[] {
    return this.#pages ??= this.list();
  }

  /** The list, made anew. */
  list(): number[] {
    return Array.from({ length: pageCountOf(this) }, (_, index) => this.firstPage + index);
  }
}
