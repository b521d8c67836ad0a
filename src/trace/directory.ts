// Finds the blocks of a file: from its index where that is whole, else by walking from prefix to prefix, searching on
// after damage. It says what is lost and where. It must not know what is in a chunk.

import { checkBody, findPrefix, MAX_BODY_BYTES, PREFIX_BYTES, readBody, readPrefix, WireError } from "../wire/mod.ts";
import type { BlockPrefix } from "../wire/mod.ts";
import { TAGS } from "./chunk_layout.ts";
import type { Loss, TraceHeader } from "./event.ts";
import { decodeFooter, decodeIndex, type Footer, type IndexedBlock, type TraceIndex } from "./footer.ts";
import type { ReadHeader } from "./header.ts";

/** Bytes that can be read anywhere. `read` may answer fewer bytes at the end. */
export interface ByteSource {
  readonly size: number;
  read(offsetBytes: number, length: number): Uint8Array;
  /** As `read`, into bytes of the caller's; how many there were. Left out: nothing is gained by it. */
  readInto?(offsetBytes: number, bytes: Uint8Array): number;
}

/** Where a file's blocks are. */
export interface Directory {
  /** In file order; event chunks in order of their events. */
  readonly blocks: readonly IndexedBlock[];
  readonly index: TraceIndex | null;
  readonly footer: Footer | null;
  /** The checksum that the blocks carry; null: there is no block. */
  readonly file: number | null;
  readonly losses: readonly Loss[];
}

const TAIL_BYTES = 64 * 1024;
const WINDOW_BYTES = 64 * 1024;

/** Finds all blocks behind a header. */
export function locateBlocks(source: ByteSource, header: ReadHeader): Directory {
  return fromIndex(source, header) ?? new Scan(source, header).directory();
}

/** How a block is read. */
export interface BlockReading {
  /** The checksum of its file. */
  readonly file: number | null;
  /** Bytes that its parts may decode to; left out: what any body may. */
  readonly most?: number;
}

/** Reads a block and checks that it is the one that was located; its decoded parts. `WireError` where it is not. */
export function readBlock(
  source: ByteSource,
  block: IndexedBlock,
  { file, most = MAX_BODY_BYTES }: BlockReading,
): readonly Uint8Array[] {
  const { prefix, body } = readFrame(source, block, file);
  if (prefix.decodedBytes > most) {
    throw new WireError(`it says ${prefix.decodedBytes} bytes, more than the ${most} that it may hold`, 0);
  }
  return readBody(prefix, body);
}

/** Bytes that an end and an index may hold at least; an index also one for each byte of the file. */
const MOST_END_BYTES = 64 * 1024;

function mostOf({ tag }: IndexedBlock, { size }: ByteSource): number {
  return tag === TAGS.end ? MOST_END_BYTES : MOST_END_BYTES + size;
}

/** The prefix and body of a located block; the body is not checked. `WireError` for another prefix. */
export function readFrame(
  source: ByteSource,
  block: IndexedBlock,
  file: number | null,
): { readonly prefix: BlockPrefix; readonly body: Uint8Array } {
  const bytes = source.read(block.offsetBytes, block.sizeBytes);
  const prefix = readPrefix(bytes);
  if (prefix === null) throw new WireError("its prefix is damaged", block.offsetBytes);
  const isSame = prefix.tag === block.tag && prefix.first === block.first && prefix.count === block.count &&
    prefix.file === file && PREFIX_BYTES + prefix.bodyBytes === block.sizeBytes;
  if (!isSame) throw new WireError("another block stands in its place", block.offsetBytes);
  return { prefix, body: bytes.subarray(PREFIX_BYTES) };
}

/** The directory that the index holds; null unless end and index are whole and account for every byte. */
function fromIndex(source: ByteSource, header: ReadHeader): Directory | null {
  if (header.file === null) return null;
  const last = findEnd(source, header.file);
  if (last === null) return null;
  try {
    const { file } = header;
    const [part] = readBlock(source, last, { file, most: mostOf(last, source) });
    const footer = decodeFooter(part ?? new Uint8Array(0));
    if (footer.indexOffsetBytes + PREFIX_BYTES > last.offsetBytes) return null;
    const prefix = readPrefix(source.read(footer.indexOffsetBytes, PREFIX_BYTES));
    if (prefix === null) return null;
    const at = locate(prefix, footer.indexOffsetBytes);
    if (at.offsetBytes + at.sizeBytes !== last.offsetBytes) return null;
    const [indexPart] = readBlock(source, at, { file, most: mostOf(at, source) });
    const index = decodeIndex(indexPart ?? new Uint8Array(0), source.size);
    const blocks = [...index.blocks, at, last];
    const fits = at.tag === TAGS.index && footer.blocks === blocks.length - 1 &&
      areContiguous(blocks, header.sizeBytes, source.size);
    return fits ? inOrder({ blocks, index, footer, file: header.file, losses: [] }, header) : null;
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}

/** The end block, where it is the file's last bytes. */
function findEnd(source: ByteSource, file: number): IndexedBlock | null {
  const start = Math.max(0, source.size - TAIL_BYTES);
  const tail = source.read(start, source.size - start);
  for (let at = findPrefix(tail, 0); at >= 0; at = findPrefix(tail, at + 1)) {
    const prefix = readPrefix(tail.subarray(at));
    if (prefix === null || prefix.tag !== TAGS.end || prefix.file !== file) continue;
    const block = locate(prefix, start + at);
    if (block.offsetBytes + block.sizeBytes === source.size) return block;
  }
  return null;
}

function locate(prefix: BlockPrefix, offsetBytes: number): IndexedBlock {
  const { tag, first, count, bodyBytes } = prefix;
  return { tag, offsetBytes, sizeBytes: PREFIX_BYTES + bodyBytes, first, count };
}

function areContiguous(blocks: readonly IndexedBlock[], startBytes: number, endBytes: number): boolean {
  let position = startBytes;
  for (const { offsetBytes, sizeBytes } of blocks) {
    if (offsetBytes !== position || sizeBytes < PREFIX_BYTES) return false;
    position += sizeBytes;
  }
  return position === endBytes;
}

/** Checks that events follow each other in a directory that an index gave; gaps become losses. */
function inOrder(directory: Directory, header: ReadHeader): Directory | null {
  const order = new EventOrder(header.header);
  for (const block of directory.blocks) {
    if (block.tag === TAGS.events && !order.take(block)) return null;
  }
  order.end(
    directory.footer?.lastEvent ?? 0,
    directory.footer === null ? 0 : directory.blocks.at(-1)?.offsetBytes ?? 0,
  );
  return { ...directory, losses: order.losses };
}

/** Follows the numbers of event chunks and says which are missing. */
class EventOrder {
  readonly losses: Loss[] = [];
  /** In order of their first event. */
  readonly #known: readonly Loss[];
  /** Events were left out on purpose: that some are missing says nothing then. */
  readonly #hasGaps: boolean;
  #expected: number;
  /** Damage seen since the last chunk, which missing events are put down to. */
  #damage: { readonly what: string; readonly offsetBytes: number } | null = null;

  constructor({ losses, startsAfter, leftOut }: TraceHeader) {
    this.#known = losses.toSorted((left, right) => left.firstEvent - right.firstEvent);
    this.#hasGaps = leftOut.length > 0;
    this.#expected = startsAfter + 1;
  }

  /** Takes a chunk; false where its events were there before. */
  take({ first, count, offsetBytes }: IndexedBlock): boolean {
    if (first < this.#expected || count === 0 || !Number.isSafeInteger(first + count)) return false;
    this.#settle(first - 1, offsetBytes);
    this.#expected = first + count;
    return true;
  }

  damage(what: string, offsetBytes: number): void {
    this.#settle(0, offsetBytes);
    this.#damage = { what, offsetBytes };
  }

  end(lastEvent: number, offsetBytes: number): void {
    this.#settle(lastEvent, offsetBytes);
  }

  #settle(lastMissing: number, offsetBytes: number): void {
    const firstEvent = this.#expected;
    const isMissing = lastMissing >= firstEvent;
    const damage = this.#damage;
    this.#damage = null;
    if (damage !== null) {
      const range = isMissing ? { firstEvent, lastEvent: lastMissing } : { firstEvent: 0, lastEvent: 0 };
      this.losses.push({ ...damage, ...range });
    } else if (isMissing && !this.#hasGaps && !this.#isKnown(firstEvent, lastMissing)) {
      const what = `events ${firstEvent} to ${lastMissing} are not in the file`;
      this.losses.push({ what, firstEvent, lastEvent: lastMissing, offsetBytes });
    }
    if (isMissing) this.#expected = lastMissing + 1;
  }

  #isKnown(firstEvent: number, lastEvent: number): boolean {
    let missing = firstEvent;
    for (const loss of this.#known) {
      if (loss.firstEvent > 0 && loss.firstEvent <= missing) missing = Math.max(missing, loss.lastEvent + 1);
    }
    return missing > lastEvent;
  }
}

/** Walks a file from prefix to prefix. */
class Scan {
  readonly #source: ByteSource;
  readonly #order: EventOrder;
  readonly #blocks: IndexedBlock[] = [];
  #file: number | null;
  #position: number;
  /** Where a search last found a prefix: the next one looks behind it, so that a walk that goes back comes to an end. */
  #found = -1;
  /** The block that was checked last, and whether it was whole. */
  #checked: { readonly block: IndexedBlock; readonly isWhole: boolean } | null = null;
  #footer: Footer | null = null;
  #index: TraceIndex | null = null;

  constructor(source: ByteSource, header: ReadHeader) {
    this.#source = source;
    this.#order = new EventOrder(header.header);
    this.#file = header.file;
    this.#position = header.sizeBytes;
  }

  directory(): Directory {
    let isEnded = false;
    while (!isEnded && this.#position < this.#source.size) {
      const prefix = this.#prefixAt(this.#position);
      if (prefix === null) this.#searchOn();
      else isEnded = this.#take(locate(prefix, this.#position));
    }
    const left = this.#source.size - this.#position;
    if (isEnded && left > 0) {
      this.#order.damage(
        `${left} ${left === 1 ? "byte follows" : "bytes follow"} the end of the trace`,
        this.#position,
      );
    }
    this.#order.end(this.#footer?.lastEvent ?? 0, this.#position);
    const { losses } = this.#order;
    return { blocks: this.#blocks, index: this.#index, footer: this.#footer, file: this.#file, losses };
  }

  #prefixAt(offsetBytes: number): BlockPrefix | null {
    const prefix = readPrefix(this.#source.read(offsetBytes, PREFIX_BYTES));
    if (prefix === null || (this.#file !== null && prefix.file !== this.#file)) return null;
    this.#file = prefix.file;
    return prefix;
  }

  /** Takes a block whose prefix is whole; true where it ends the trace. */
  #take(block: IndexedBlock): boolean {
    const end = block.offsetBytes + block.sizeBytes;
    if (end > this.#source.size) {
      this.#cut(block);
      return false;
    }
    this.#position = end;
    if (block.tag === TAGS.events && !this.#order.take(block)) {
      this.#order.damage(`a chunk of events ${rangeOf(block)} stands out of order`, block.offsetBytes);
      return false;
    }
    this.#blocks.push(block);
    if (block.tag === TAGS.index) {
      this.#index = this.#decode(
        block,
        "the index is damaged; it was rebuilt",
        (part) => decodeIndex(part, this.#source.size),
      );
    }
    if (block.tag !== TAGS.end) return false;
    const footer = this.#decode(block, "the end of the trace is damaged", decodeFooter);
    this.#footer = footer;
    if (footer !== null && this.#order.losses.length === 0 && footer.blocks !== this.#blocks.length - 1) {
      const what = `${this.#blocks.length - 1} blocks stand before the end, which counts ${footer.blocks}`;
      this.#order.damage(what, block.offsetBytes);
    }
    return true;
  }

  #decode<T>(block: IndexedBlock, what: string, decode: (part: Uint8Array) => T): T | null {
    try {
      const [part] = readBlock(this.#source, block, { file: this.#file, most: mostOf(block, this.#source) });
      return decode(part ?? new Uint8Array(0));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#blocks.pop();
      this.#order.damage(`${what}: ${error.message}`, block.offsetBytes);
      return null;
    }
  }

  /** A block of which the file ends too early; where bytes went missing inside it, whole blocks may follow. */
  #cut(block: IndexedBlock): void {
    const missing = block.offsetBytes + block.sizeBytes - this.#source.size;
    const name = block.tag === TAGS.events ? `the chunk of events ${rangeOf(block)}` : `a block ${block.tag}`;
    this.#order.damage(`the file ends ${missing} bytes before the end of ${name}`, block.offsetBytes);
    this.#position = this.#findNext(block.offsetBytes + PREFIX_BYTES);
    const isLast = this.#position === this.#source.size;
    if (isLast && block.tag === TAGS.events) this.#order.end(block.first + block.count - 1, block.offsetBytes);
  }

  /** Looks for the next prefix behind bytes that are none; from inside the block before, if bytes of it went missing. */
  #searchOn(): void {
    const start = this.#position;
    const before = this.#blocks.at(-1);
    const isWhole = before === undefined || this.#isWhole(before);
    const next = this.#findNext(isWhole ? start + 1 : before.offsetBytes + PREFIX_BYTES);
    const count = next - start;
    const what = count <= 0
      ? "bytes went missing before this block"
      : next === this.#source.size
      ? `the last ${count} bytes are no whole block: the file was cut or damaged`
      : `${count} bytes are no block: they are damaged`;
    this.#order.damage(what, Math.min(start, next));
    this.#position = next;
  }

  #isWhole(block: IndexedBlock): boolean {
    if (this.#checked?.block !== block) this.#checked = { block, isWhole: isWhole(this.#source, block, this.#file) };
    return this.#checked.isWhole;
  }

  #findNext(from: number): number {
    this.#found = this.#findPrefix(Math.max(from, this.#found + 1));
    return this.#found;
  }

  #findPrefix(from: number): number {
    const { size } = this.#source;
    for (let start = from; start < size; start += WINDOW_BYTES) {
      const window = this.#source.read(start, Math.min(WINDOW_BYTES + PREFIX_BYTES, size - start));
      for (let at = findPrefix(window, 0); at >= 0; at = findPrefix(window, at + 1)) {
        if (this.#prefixAt(start + at) !== null) return start + at;
      }
    }
    return size;
  }
}

function isWhole(source: ByteSource, block: IndexedBlock, file: number | null): boolean {
  try {
    const { prefix, body } = readFrame(source, block, file);
    checkBody(prefix, body);
    return true;
  } catch (error) {
    if (error instanceof WireError) return false;
    throw error;
  }
}

function rangeOf({ first, count }: IndexedBlock): string {
  return `${first} to ${first + count - 1}`;
}
