// Memory of the partitions: pages of 4096 bytes by page frame number, given out lowest first.
// It knows no object: buffers, MDLs and GPADLs are lists of its pages.

import { PAGE_BYTES } from "../api/mod.ts";
import { popPage, pushPage } from "./page_heap.ts";
import type { PartitionName, Piece } from "./objects.ts";
import { RunOfPages } from "./pieces.ts";

/** Where bytes are: a page of a partition, and the offset into it. */
export interface PageAddress {
  readonly partition: PartitionName;
  readonly page: number;
  readonly offset: number;
}

/** First page frame number given out by each partition: far apart, so that a number says whose page it is. */
const FIRST_PAGE: Readonly<Record<PartitionName, number>> = { guest: 0x100, host: 0x100000, video: 0x1000000 };

/** The pages of one partition, as plain data. */
export interface PartitionState {
  /** The lowest page that was never given out. */
  next: number;
  /** Freed pages, a heap. */
  free: number[];
  /** Contents of pages that were written; others are zero. */
  contents: Map<number, Uint8Array>;
}

/** All pages, as plain data. */
export type MemoryState = Readonly<Record<PartitionName, Readonly<PartitionState>>>;

/** The pages of all partitions. */
export class Memory {
  readonly #partitions: Record<PartitionName, PartitionState> = {
    guest: emptyPartition("guest"),
    host: emptyPartition("host"),
    video: emptyPartition("video"),
  };
  /** Pages whose bytes nobody else holds: those of others, of a snapshot or of a delta, are copied before they change. */
  readonly #own: Record<PartitionName, Set<number>> = { guest: new Set(), host: new Set(), video: new Set() };

  /** Gives out `count` zeroed pages, the lowest free ones first. */
  allocate(partition: PartitionName, count: number): number[] {
    const own = this.#partitions[partition];
    const pages: number[] = [];
    while (pages.length < count) {
      const page = popPage(own.free) ?? own.next++;
      if (own.contents.delete(page)) this.#own[partition].delete(page);
      pages.push(page);
    }
    return pages;
  }

  /** Gives out zeroed pages for a byte string that begins in its first page at `byteOffset`, as `allocate` does. */
  allocatePiece(partition: PartitionName, { byteOffset, byteCount }: Pick<Piece, "byteOffset" | "byteCount">): Piece {
    const own = this.#partitions[partition];
    const count = Math.ceil((byteOffset + byteCount) / PAGE_BYTES);
    if (own.free.length > 0) return { pages: this.allocate(partition, count), byteOffset, byteCount };
    own.next += count;
    return new RunOfPages(own.next - count, byteOffset, byteCount);
  }

  /** Takes pages back. */
  free(partition: PartitionName, pages: readonly number[]): void {
    const own = this.#partitions[partition];
    for (const page of pages) pushPage(own.free, page);
  }

  /** Writes bytes inside one page, which must not change afterwards; `RangeError` past its end. */
  write({ partition, page, offset }: PageAddress, bytes: Uint8Array): void {
    assertInside(offset, bytes.length);
    const { contents } = this.#partitions[partition];
    const own = this.#own[partition];
    if (isPage(bytes)) {
      contents.set(page, bytes);
      own.delete(page);
      return;
    }
    const content = contents.get(page);
    if (content !== undefined && own.has(page)) return content.set(bytes, offset);
    const copy = new Uint8Array(PAGE_BYTES);
    if (content !== undefined) copy.set(content);
    copy.set(bytes, offset);
    contents.set(page, copy);
    own.add(page);
  }

  /** Reads bytes inside one page; `RangeError` past its end. */
  read({ partition, page, offset }: PageAddress, length: number): Uint8Array {
    assertInside(offset, length);
    const content = this.#partitions[partition].contents.get(page);
    return content === undefined ? new Uint8Array(length) : content.slice(offset, offset + length);
  }

  /** The 32-bit number at an address whose offset is a multiple of 4; `RangeError` past the page's end. */
  word({ partition, page, offset }: PageAddress): number {
    assertInside(offset, 4);
    const content = this.#partitions[partition].contents.get(page);
    if (content === undefined) return 0;
    let word = 0;
    for (let at = offset + 3; at >= offset; at -= 1) word = word << 8 | (content[at] ?? 0);
    return word >>> 0;
  }

  /** Whether a page was written since it was given out: others are zero. */
  isWritten(partition: PartitionName, page: number): boolean {
    return this.#partitions[partition].contents.has(page);
  }

  /** Everything as it is now, as plain data; whoever gets it must not change it. */
  toPlain(): MemoryState {
    for (const pages of Object.values(this.#own)) pages.clear();
    return copyOf(this.#partitions);
  }

  /** Takes the state that `toPlain` gave, in place of its own. */
  restore(state: MemoryState): void {
    for (const pages of Object.values(this.#own)) pages.clear();
    Object.assign(this.#partitions, copyOf(state));
  }
}

/** Whether bytes are a page that keeps nothing else alive: it can stand for the page that it is written to. */
function isPage(bytes: Uint8Array): boolean {
  return bytes.length === PAGE_BYTES && bytes.buffer.byteLength === PAGE_BYTES;
}

/** Tables of their own over the same pages. */
function copyOf({ guest, host, video }: MemoryState): Record<PartitionName, PartitionState> {
  return { guest: copyOfPartition(guest), host: copyOfPartition(host), video: copyOfPartition(video) };
}

function copyOfPartition({ next, free, contents }: PartitionState): PartitionState {
  return { next, free: [...free], contents: new Map(contents) };
}

function emptyPartition(name: PartitionName): PartitionState {
  return { next: FIRST_PAGE[name], free: [], contents: new Map() };
}

function assertInside(offset: number, length: number): void {
  if (offset < 0 || offset + length > PAGE_BYTES) {
    throw new RangeError(`Cannot touch ${length} bytes at offset ${offset}: a page has ${PAGE_BYTES}`);
  }
}
