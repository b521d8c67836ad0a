// Which pages buffers, MDLs, GPADLs and allocations stand for, folded from the machine's calls. Numbers are the audit's
// own: pages of a partition are given out lowest first, as AllocateBuffer is declared. It judges nothing.

import { isRef, PAGE_BYTES, type Ref } from "../api/mod.ts";
import { numberIn } from "./call_shapes.ts";
import type { CallView } from "./detector.ts";
import { madeAllocations } from "./gpu_call_values.ts";
import { Grouped } from "./grouped.ts";
import { NumberMap } from "./number_map.ts";
import { ObjectRows } from "./object_rows.ts";
import { type Extent, type Piece, type Request, requestOf, runsOf, Slice, slicePieces } from "./extents.ts";
import { PageAllocator, type PageRun } from "./page_runs.ts";

interface MdlRecord {
  readonly extent: Extent;
  readonly next: Ref | null;
}

/** Host pages are counted far above the guest's, so that a number says whose page it is. */
const HOST_BASE = 2 ** 32;

/** Columns of a GPADL: what it describes of which buffer, whether it ended, and MDLs that stand for it. */
const GPADL = { buffer: 0, offset: 1, length: 2, isDead: 3, openMdls: 4 } as const;
/** In place of a buffer: what it describes stands elsewhere. */
const ELSEWHERE = -1;
/** Columns of an MDL that a map made. */
const MAPPED = { gpadl: 0, isDead: 1 } as const;

function isUsed(cells: Float64Array, row: number): boolean {
  return cells[row + GPADL.isDead] === 0 || cells[row + GPADL.openMdls] !== 0;
}

function isOpen(cells: Float64Array, row: number): boolean {
  return cells[row + MAPPED.isDead] === 0;
}

/** A source of pages, a buffer or an MDL, as one number. */
function keyOf({ kind, number }: Ref): number {
  return kind === "mdl" ? -number : number;
}

/** The pages of all live objects that have any. A GPADL of a part of a buffer, and its mapping, are numbers only. */
export class GuestPages {
  readonly #partitions = { guest: new PageAllocator(0), host: new PageAllocator(HOST_BASE) };
  readonly #buffers = new NumberMap<Extent>();
  /** MDLs that no map made. */
  readonly #mdls = new NumberMap<MdlRecord>();
  readonly #mapped = new ObjectRows(2, isOpen);
  readonly #gpadls = new ObjectRows(5, isUsed);
  /** What GPADLs of MDLs describe, and those whose buffer is gone. */
  readonly #elsewhere = new NumberMap<Extent>();
  /** Live GPADLs by what they were made of. */
  readonly #bySource = new Grouped<number>();
  readonly #allocations = new NumberMap<Extent>();
  /** What the call of this event asked for, until something changes: several rules want to know. */
  #askedAt = 0;
  #asked: Request | null = null;

  /** What an object stands for, while it lives and is known; undefined otherwise. */
  extentOf(ref: Ref): Extent | undefined {
    if (ref.kind === "gpadl") return this.extentOfGpadl(ref.number);
    if (ref.kind === "allocation") return this.#allocations.get(ref.number);
    if (ref.kind === "mdl") return this.#mdl(ref.number)?.extent;
    return ref.kind === "buffer" ? this.#buffers.get(ref.number) : undefined;
  }

  /** The same of a GPADL. */
  extentOfGpadl(number: number): Extent | undefined {
    const row = this.#gpadls.find(number);
    return row < 0 || this.#gpadls.cells[row + GPADL.isDead] !== 0 ? undefined : this.#described(number);
  }

  /** The same of an allocation. */
  extentOfAllocation(number: number): Extent | undefined {
    return this.#allocations.get(number);
  }

  /** Live GPADLs that were made of a buffer or an MDL. */
  gpadlsOf(source: Ref): Iterable<number> {
    return this.#bySource.of(keyOf(source));
  }

  /** Whether there is one. */
  hasGpadls(source: Ref): boolean {
    return this.#bySource.has(keyOf(source));
  }

  /** Whether a buffer of this number lives and is known. */
  hasBuffer(number: number): boolean {
    return this.#buffers.has(number);
  }

  /** Takes a call that succeeded. */
  returned(call: CallView): void {
    if (!call.succeeded) return;
    const { outcome, shape } = call;
    const made = shape.returnsPages && outcome?.form === "value" && isRef(outcome.value) ? outcome.value : null;
    if (made?.kind === "buffer") this.#addBuffer(call, made);
    else if (made?.kind === "mdl") this.#addMdl(call, made);
    const { gpadlVerb } = shape;
    if (gpadlVerb === "create") this.#addGpadl(call);
    else if (gpadlVerb === "map") this.#addMapping(call);
    if (shape.createsAllocations) this.#addAllocations(call);
    this.#askedAt = 0;
  }

  /** Forgets an object; a buffer's pages are free again. */
  ended({ kind, number }: Ref): void {
    this.#askedAt = 0;
    if (kind === "gpadl") this.#gpadlEnded(number);
    else if (kind === "allocation") this.#allocations.delete(number);
    else if (kind === "mdl") this.#mdlEnded(number);
    else if (kind === "buffer") this.#bufferEnded(number);
  }

  #gpadlEnded(number: number): void {
    const row = this.#gpadls.find(number);
    const { cells } = this.#gpadls;
    if (row < 0 || cells[row + GPADL.isDead] !== 0) return;
    const buffer = cells[row + GPADL.buffer] ?? 0;
    if (buffer !== ELSEWHERE) this.#bySource.delete(buffer, number);
    else for (const source of this.#described(number)?.sources ?? []) this.#bySource.delete(keyOf(source), number);
    cells[row + GPADL.isDead] = 1;
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
    if (row < 0 || this.#mapped.cells[row + MAPPED.isDead] !== 0) {
      this.#mdls.delete(number);
      return;
    }
    this.#mapped.cells[row + MAPPED.isDead] = 1;
    const gpadl = this.#mapped.cells[row + MAPPED.gpadl] ?? 0;
    this.#mapped.settle(number);
    const described = this.#gpadls.find(gpadl);
    if (described < 0) return;
    const { cells } = this.#gpadls;
    const left = (cells[described + GPADL.openMdls] ?? 0) - 1;
    cells[described + GPADL.openMdls] = left;
    if (left === 0 && cells[described + GPADL.isDead] !== 0) this.#forgetGpadl(gpadl);
  }

  #bufferEnded(number: number): void {
    for (const gpadl of this.#bySource.of(number)) this.#putElsewhere(gpadl);
    const runs = this.#buffers.get(number)?.pieces[0]?.runs;
    this.#buffers.delete(number);
    if (runs !== undefined) this.#partitions[(runs[0]?.start ?? 0) >= HOST_BASE ? "host" : "guest"].free(runs);
  }

  /** What a GPADL describes, also of one that ended and is mapped. */
  #described(number: number): Extent | undefined {
    const row = this.#gpadls.find(number);
    if (row < 0) return undefined;
    const { cells } = this.#gpadls;
    const buffer = cells[row + GPADL.buffer] ?? 0;
    if (buffer === ELSEWHERE) return this.#elsewhere.get(number);
    const whole = this.#buffers.get(buffer);
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
    if (row < 0 || this.#mapped.cells[row + MAPPED.isDead] !== 0) return this.#mdls.get(number);
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
    const buffer = call.objectAt(at.buffer);
    const byteCount = call.numberAt(at.byteCount);
    if (buffer !== null) {
      const extent = this.#buffers.get(buffer.number);
      return extent === undefined ? null : requestOf(extent, { offset: 0, length: byteCount });
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
    const piece = { runs, byteOffset, byteCount, buffer: ref.number };
    this.#buffers.set(ref.number, { pieces: [piece], buffers: [ref.number], byteCount, sources: [ref] });
  }

  #addMdl(call: CallView, ref: Ref): void {
    const buffer = call.object("buffer");
    const whole = buffer === null ? undefined : this.#buffers.get(buffer.number);
    if (buffer === null || whole === undefined) return;
    const offset = numberIn(call, "byteOffset");
    const length = numberIn(call, "byteCount") || whole.byteCount - offset;
    const extent = new Slice(whole, { offset, length, sources: [buffer, ref] });
    this.#mdls.set(ref.number, { extent, next: call.object("mdl") });
  }

  #addGpadl(call: CallView): void {
    const ref = call.madeAt(call.shape.at.madeGpadl);
    const request = this.request(call);
    if (ref === null || request === null) return;
    const { number } = ref;
    const buffer = call.objectNumberAt(call.shape.at.buffer);
    const row = this.#gpadls.add(number);
    const { cells } = this.#gpadls;
    cells[row + GPADL.buffer] = buffer;
    cells[row + GPADL.offset] = request.offset;
    cells[row + GPADL.length] = request.length;
    cells[row + GPADL.isDead] = 0;
    cells[row + GPADL.openMdls] = 0;
    if (buffer === ELSEWHERE) this.#elsewhere.set(number, new Slice(request, request));
    for (const source of request.sources) this.#bySource.add(keyOf(source), number);
  }

  #addMapping(call: CallView): void {
    const ref = call.madeAt(call.shape.at.madeMdl);
    const gpadl = call.objectNumberAt(call.shape.at.gpadl);
    const described = this.#gpadls.find(gpadl);
    if (ref === null || described < 0 || this.#gpadls.cells[described + GPADL.isDead] !== 0) return;
    const cells = this.#gpadls.cells;
    cells[described + GPADL.openMdls] = (cells[described + GPADL.openMdls] ?? 0) + 1;
    const row = this.#mapped.add(ref.number);
    this.#mapped.cells[row + MAPPED.gpadl] = gpadl;
    this.#mapped.cells[row + MAPPED.isDead] = 0;
  }

  /** Allocations over existing memory. */
  #addAllocations(call: CallView): void {
    for (const { ref, buffer, sizeBytes } of madeAllocations(call)) {
      const whole = buffer === null ? undefined : this.#buffers.get(buffer.number);
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
