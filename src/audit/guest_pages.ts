// Which pages buffers, MDLs, GPADLs and allocations stand for, folded from the machine's calls. Numbers are the audit's
// own: pages of a partition are given out lowest first, as AllocateBuffer is declared. It judges nothing.

import { isRef, type ObjectKind, PAGE_BYTES, type Ref } from "../api/mod.ts";
import { numberIn } from "./call_shapes.ts";
import type { CallView } from "./detector.ts";
import { madeAllocations } from "./gpu_call_values.ts";
import { Grouped } from "./grouped.ts";
import { NumberMap } from "./number_map.ts";
import type { RowShare } from "./object_rows.ts";
import type { ObjectTable } from "./object_table.ts";
import {
  type Extent,
  type Piece,
  type Request,
  requestOf,
  runsOf,
  Slice,
  slicePieces,
  WholeBuffer,
} from "./extents.ts";
import { PageAllocator, type PageRun } from "./page_runs.ts";
import { RowValues } from "./row_values.ts";

interface MdlRecord {
  readonly extent: Extent;
  readonly next: Ref | null;
}

/** Host pages are counted far above the guest's, so that a number says whose page it is. */
const HOST_BASE = 2 ** 32;

/** Columns of a GPADL: what it describes of which buffer, what is known of it, and MDLs that stand for it. */
const GPADL = { buffer: 0, offset: 1, length: 2, life: 3, openMdls: 4 } as const;
/** In place of a buffer: what it describes stands elsewhere. */
const ELSEWHERE = -1;
/** Columns of an MDL that a map made. */
const MAPPED = { gpadl: 0, life: 1 } as const;
/** Columns of a buffer: what it is called, its pages in one run (-1 pages: they are in several), and its bytes in them. */
const BUFFER = { handle: 0, life: 1, byteOffset: 2, byteCount: 3, firstPage: 4, pageCount: 5 } as const;
/** Lives of all; 0: what it stands for is not known. */
const LIVE = 1;
const DEAD = 2;

function isUsed(cells: Float64Array, row: number): boolean {
  return cells[row + GPADL.life] === LIVE || cells[row + GPADL.openMdls] !== 0;
}

function isLive(cells: Float64Array, row: number): boolean {
  return cells[row + BUFFER.life] === LIVE;
}

function isOpen(cells: Float64Array, row: number): boolean {
  return cells[row + MAPPED.life] === LIVE;
}

/** A request for bytes of a buffer from its start on. */
class BufferRequest implements Request {
  readonly offset = 0;
  readonly length: number;
  readonly total: number;
  readonly pieceCount = 1;
  readonly buffer: number;
  readonly #pages: GuestPages;

  constructor(pages: GuestPages, { buffer, length, total }: Pick<BufferRequest, "buffer" | "length" | "total">) {
    this.#pages = pages;
    this.buffer = buffer;
    this.length = length;
    this.total = total;
  }

  get whole(): Extent {
    return this.#pages.extentOfBuffer(this.buffer) ?? NO_BYTES;
  }
}

const NO_BYTES: Extent = { pieces: [], buffers: [], byteCount: 0, sources: [] };

/** The pages of all live objects that have any. A GPADL of a part of a buffer, and its mapping, are numbers only. */
export class GuestPages {
  readonly #partitions = { guest: new PageAllocator(0), host: new PageAllocator(HOST_BASE) };
  readonly #buffers: RowShare;
  /** The pages of buffers that lie in several runs. */
  readonly #scattered = new Map<number, readonly PageRun[]>();
  /** MDLs that no map made. */
  readonly #mdls = new NumberMap<MdlRecord>();
  readonly #mapped: RowShare;
  readonly #gpadls: RowShare;
  /** What GPADLs of MDLs describe, and those whose buffer is gone. */
  readonly #elsewhere = new NumberMap<Extent>();
  /** Live GPADLs by what they were made of. */
  readonly #byBuffer: Grouped<number>;
  readonly #byMdl = new Grouped<number>();
  readonly #allocations = new NumberMap<Extent>();
  /** What the call of this event asked for, until something changes: several rules want to know. */
  #askedAt = 0;
  #asked: Request | null = null;

  /** What it keeps stands beside what the table of objects keeps of buffers, GPADLs and MDLs. */
  constructor(objects: ObjectTable) {
    this.#mapped = objects.rowsOf("mdl").share(2, isOpen);
    this.#gpadls = objects.rowsOf("gpadl").share(5, isUsed);
    this.#buffers = objects.rowsOf("buffer").share(6, isLive);
    this.#byBuffer = new Grouped(new RowValues<Set<number>>(objects.rowsOf("buffer")));
  }

  /** What an object stands for, while it lives and is known; undefined otherwise. */
  extentOf(ref: Ref): Extent | undefined {
    if (ref.kind === "gpadl") return this.extentOfGpadl(ref.number);
    if (ref.kind === "allocation") return this.#allocations.get(ref.number);
    if (ref.kind === "mdl") return this.#mdl(ref.number)?.extent;
    return ref.kind === "buffer" ? this.extentOfBuffer(ref.number) : undefined;
  }

  /** The same of a buffer. */
  extentOfBuffer(number: number): Extent | undefined {
    const row = this.#bufferRow(number);
    if (row < 0) return undefined;
    const { cells } = this.#buffers;
    const start = cells[row + BUFFER.firstPage] ?? 0;
    const runs = this.#scattered.get(number) ?? [{ start, end: start + (cells[row + BUFFER.pageCount] ?? 0) }];
    const ref: Ref = { kind: "buffer", number, handle: cells[row + BUFFER.handle] ?? 0 };
    const byteOffset = cells[row + BUFFER.byteOffset] ?? 0;
    return new WholeBuffer(ref, { runs, byteOffset, byteCount: cells[row + BUFFER.byteCount] ?? 0 });
  }

  /** The buffer that a live GPADL is a part of, while that lives too; -1: what it describes stands elsewhere, or is not known. */
  bufferOfGpadl(number: number): number {
    const row = this.#gpadls.find(number);
    const { cells } = this.#gpadls;
    return row < 0 || cells[row + GPADL.life] !== LIVE ? ELSEWHERE : cells[row + GPADL.buffer] ?? ELSEWHERE;
  }

  /** The same of a GPADL. */
  extentOfGpadl(number: number): Extent | undefined {
    const row = this.#gpadls.find(number);
    return row < 0 || this.#gpadls.cells[row + GPADL.life] !== LIVE ? undefined : this.#described(number);
  }

  /** The same of an allocation. */
  extentOfAllocation(number: number): Extent | undefined {
    return this.#allocations.get(number);
  }

  /** Live GPADLs that were made of a buffer or an MDL. */
  gpadlsOf(source: Ref): Iterable<number> {
    return this.#madeOf(source.kind).of(source.number);
  }

  /** Whether there is one. */
  hasGpadls(source: Ref): boolean {
    return this.#madeOf(source.kind).has(source.number);
  }

  #madeOf(kind: ObjectKind): Grouped<number> {
    return kind === "mdl" ? this.#byMdl : this.#byBuffer;
  }

  /** Whether a buffer of this number lives and is known. */
  hasBuffer(number: number): boolean {
    return this.#bufferRow(number) >= 0;
  }

  /** The row of a buffer that lives and is known, -1: it is not. */
  #bufferRow(number: number): number {
    const row = number < 0 ? -1 : this.#buffers.find(number);
    return row >= 0 && isLive(this.#buffers.cells, row) ? row : -1;
  }

  /** Takes a call that succeeded. */
  returned(call: CallView): void {
    if (!call.succeeded) return;
    const { outcome, shape } = call;
    const made = shape.returnsPages && outcome?.form === "value" && isRef(outcome.value) ? outcome.value : null;
    if (made?.kind === "buffer") this.#addBuffer(call, made);
    else if (made?.kind === "mdl") this.#addMdl(call, made);
    const { gpadlVerb } = shape;
    if (gpadlVerb === "create") this.described(call);
    else if (gpadlVerb === "map") this.mapped(call);
    if (shape.createsAllocations) this.#addAllocations(call);
    this.#askedAt = 0;
  }

  /** Forgets an object; a buffer's pages are free again. */
  ended({ kind, number }: Ref): void {
    this.#askedAt = 0;
    if (kind === "gpadl") this.endedGpadl(number);
    else if (kind === "allocation") this.#allocations.delete(number);
    else if (kind === "mdl") this.#mdlEnded(number);
    else if (kind === "buffer") this.#bufferEnded(number);
  }

  /** Forgets a GPADL. */
  endedGpadl(number: number): void {
    const row = this.#gpadls.find(number);
    const { cells } = this.#gpadls;
    if (row < 0 || cells[row + GPADL.life] !== LIVE) return;
    const buffer = cells[row + GPADL.buffer] ?? 0;
    const sources = buffer === ELSEWHERE ? this.#described(number)?.sources ?? [] : [];
    if (buffer !== ELSEWHERE) this.#byBuffer.delete(buffer, number);
    for (const { kind, number: source } of sources) this.#madeOf(kind).delete(source, number);
    cells[row + GPADL.life] = DEAD;
    // What is mapped still is needed, whatever becomes of the buffer.
    if (cells[row + GPADL.openMdls] !== 0) this.#putElsewhere(number);
    else this.#forgetGpadl(number);
  }

  #forgetGpadl(number: number): void {
    this.#elsewhere.delete(number);
    this.#gpadls.settle(number);
  }

  #mdlEnded(number: number): void {
    const row = this.#mapped.find(number);
    if (row < 0 || this.#mapped.cells[row + MAPPED.life] !== LIVE) {
      this.#mdls.delete(number);
      return;
    }
    this.#mapped.cells[row + MAPPED.life] = DEAD;
    const gpadl = this.#mapped.cells[row + MAPPED.gpadl] ?? 0;
    this.#mapped.settle(number);
    const described = this.#gpadls.find(gpadl);
    const { cells } = this.#gpadls;
    if (described < 0 || cells[described + GPADL.life] === 0) return;
    const left = (cells[described + GPADL.openMdls] ?? 0) - 1;
    cells[described + GPADL.openMdls] = left;
    if (left === 0 && cells[described + GPADL.life] === DEAD) this.#forgetGpadl(gpadl);
  }

  #bufferEnded(number: number): void {
    for (const gpadl of this.#byBuffer.of(number)) this.#putElsewhere(gpadl);
    const runs = this.extentOfBuffer(number)?.pieces[0]?.runs;
    const row = this.#bufferRow(number);
    if (row >= 0) this.#buffers.cells[row + BUFFER.life] = DEAD;
    this.#scattered.delete(number);
    this.#buffers.settle(number);
    if (runs !== undefined) this.#partitions[(runs[0]?.start ?? 0) >= HOST_BASE ? "host" : "guest"].free(runs);
  }

  /** What a GPADL describes, also of one that ended and is mapped. */
  #described(number: number): Extent | undefined {
    const row = this.#gpadls.find(number);
    const { cells } = this.#gpadls;
    if (row < 0 || cells[row + GPADL.life] === 0) return undefined;
    const buffer = cells[row + GPADL.buffer] ?? 0;
    if (buffer === ELSEWHERE) return this.#elsewhere.get(number);
    const whole = this.extentOfBuffer(buffer);
    if (whole === undefined) return undefined;
    const part = { offset: cells[row + GPADL.offset] ?? 0, length: cells[row + GPADL.length] ?? 0 };
    return new Slice(whole, { ...part, sources: whole.sources });
  }

  /** Keeps what a GPADL describes by itself: its buffer may go. */
  #putElsewhere(number: number): void {
    const extent = this.#described(number);
    const row = this.#gpadls.find(number);
    if (extent === undefined || row < 0) return;
    this.#elsewhere.set(number, extent);
    this.#gpadls.cells[row + GPADL.buffer] = ELSEWHERE;
  }

  #mdl(number: number): MdlRecord | undefined {
    const row = this.#mapped.find(number);
    if (row < 0 || this.#mapped.cells[row + MAPPED.life] !== LIVE) return this.#mdls.get(number);
    const extent = this.#described(this.#mapped.cells[row + MAPPED.gpadl] ?? 0);
    return extent === undefined ? undefined : { extent, next: null };
  }

  /** What a call asks a GPADL to describe; null where its source is dead or was never seen. */
  request(call: CallView): Request | null {
    if (this.#askedAt === call.event) return this.#asked;
    this.#asked = this.#request(call);
    this.#askedAt = call.event;
    return this.#asked;
  }

  #request(call: CallView): Request | null {
    const { at } = call.shape;
    const buffer = call.objectNumberAt(at.buffer);
    const byteCount = call.numberAt(at.byteCount);
    if (buffer >= 0) {
      const row = this.#bufferRow(buffer);
      if (row < 0) return null;
      const total = this.#buffers.cells[row + BUFFER.byteCount] ?? 0;
      return new BufferRequest(this, { buffer, length: byteCount, total });
    }
    const chain = this.chainOf(call.objectAt(at.mdl));
    if (chain === null) return null;
    const offset = call.numberAt(at.byteOffset);
    return requestOf(chain, { offset, length: byteCount || Math.max(0, chain.byteCount - offset) });
  }

  /** The pages that a CPU write touches, in order; none where its target is not known. */
  pagesWritten(call: CallView): readonly PageRun[] {
    const { at } = call.shape;
    const data = call.in("bytes");
    const target = call.objectAt(at.buffer) ?? call.objectAt(at.mdl);
    const extent = target === null ? undefined : this.extentOf(target);
    if (!(data instanceof Uint8Array) || extent === undefined) return [];
    return runsOf(slicePieces(extent.pieces, { offset: call.numberAt(at.byteOffset), length: data.length }));
  }

  #addBuffer(call: CallView, ref: Ref): void {
    const byteOffset = numberIn(call, "byteOffset");
    const byteCount = numberIn(call, "byteCount");
    const own = this.#partitions[call.side === "host" ? "host" : "guest"];
    const runs = own.allocate(Math.ceil((byteOffset + byteCount) / PAGE_BYTES));
    const [only] = runs;
    const { number, handle } = ref;
    const row = this.#buffers.add(number);
    const { cells } = this.#buffers;
    cells[row + BUFFER.handle] = handle;
    cells[row + BUFFER.life] = LIVE;
    cells[row + BUFFER.byteOffset] = byteOffset;
    cells[row + BUFFER.byteCount] = byteCount;
    cells[row + BUFFER.firstPage] = only?.start ?? 0;
    cells[row + BUFFER.pageCount] = only === undefined ? 0 : only.end - only.start;
    if (runs.length !== 1) this.#scattered.set(number, runs);
  }

  #addMdl(call: CallView, ref: Ref): void {
    const buffer = call.object("buffer");
    const whole = buffer === null ? undefined : this.extentOfBuffer(buffer.number);
    if (buffer === null || whole === undefined) return;
    const offset = numberIn(call, "byteOffset");
    const length = numberIn(call, "byteCount") || whole.byteCount - offset;
    const extent = new Slice(whole, { offset, length, sources: [buffer, ref] });
    this.#mdls.set(ref.number, { extent, next: call.object("mdl") });
  }

  /** Takes a GPADL that was made. */
  described(call: CallView): void {
    const number = call.madeNumberAt(call.shape.at.madeGpadl);
    const request = this.request(call);
    if (number < 0 || request === null) return;
    const buffer = call.objectNumberAt(call.shape.at.buffer);
    const row = this.#gpadls.add(number);
    const { cells } = this.#gpadls;
    cells[row + GPADL.buffer] = buffer;
    cells[row + GPADL.offset] = request.offset;
    cells[row + GPADL.length] = request.length;
    cells[row + GPADL.life] = LIVE;
    cells[row + GPADL.openMdls] = 0;
    if (buffer !== ELSEWHERE) return this.#byBuffer.add(buffer, number);
    const { whole, offset, length } = request;
    const { sources } = whole;
    this.#elsewhere.set(number, new Slice(whole, { offset, length, sources }));
    for (const { kind, number: source } of sources) this.#madeOf(kind).add(source, number);
  }

  /** Takes a GPADL that was mapped. */
  mapped(call: CallView): void {
    const mdl = call.madeNumberAt(call.shape.at.madeMdl);
    const gpadl = call.gpadl;
    const described = gpadl < 0 ? -1 : this.#gpadls.find(gpadl);
    const { cells } = this.#gpadls;
    if (mdl < 0 || described < 0 || cells[described + GPADL.life] !== LIVE) return;
    cells[described + GPADL.openMdls] = (cells[described + GPADL.openMdls] ?? 0) + 1;
    const row = this.#mapped.add(mdl);
    this.#mapped.cells[row + MAPPED.gpadl] = gpadl;
    this.#mapped.cells[row + MAPPED.life] = LIVE;
  }

  /** Allocations over existing memory. */
  #addAllocations(call: CallView): void {
    for (const { ref, buffer, sizeBytes } of madeAllocations(call)) {
      const whole = buffer === null ? undefined : this.extentOfBuffer(buffer.number);
      if (buffer === null || whole === undefined) continue;
      const length = sizeBytes === 0n ? whole.byteCount : Number(sizeBytes);
      this.#allocations.set(ref.number, new Slice(whole, { offset: 0, length, sources: [buffer] }));
    }
  }

  /** A chain of MDLs as one byte string; null where a part is dead or was never seen. */
  chainOf(first: Ref | null): Extent | null {
    const pieces: Piece[] = [];
    const sources: Ref[] = [];
    const seen = new Set<number>();
    for (let ref = first; ref !== null && !seen.has(ref.number);) {
      const record = this.#mdl(ref.number);
      if (record === undefined) return null;
      seen.add(ref.number);
      pieces.push(...record.extent.pieces);
      sources.push(...record.extent.sources);
      ref = record.next;
    }
    return first === null ? null : {
      pieces,
      buffers: [...new Set(pieces.map(({ buffer }) => buffer))],
      byteCount: pieces.reduce((sum, each) => sum + each.byteCount, 0),
      sources,
    };
  }
}
