// Which pages buffers, MDLs, GPADLs and allocations stand for, folded from the machine's calls. Numbers are the audit's
// own: pages of a partition are given out lowest first, as AllocateBuffer is declared. It judges nothing.

import { isRef, PAGE_BYTES, type Ref } from "../api/mod.ts";
import { numberIn, refOf } from "./call_shapes.ts";
import type { CallView } from "./detector.ts";
import { madeAllocations } from "./gpu_call_values.ts";
import { NumberMap } from "./number_map.ts";
import { PageAllocator, type PageRun, sliceRuns } from "./page_runs.ts";

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

/** A part of another extent; its pieces are worked out when somebody asks: for most nobody does. */
class Slice implements Extent {
  readonly byteCount: number;
  readonly sources: readonly Ref[];
  readonly #whole: Pick<Extent, "pieces" | "buffers">;
  readonly #offset: number;
  #pieces: readonly Piece[] | null = null;

  constructor(
    whole: Pick<Extent, "pieces" | "buffers">,
    { offset, length, sources }: Pick<Request, "offset" | "length" | "sources">,
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
  /** Bytes that there are. */
  readonly total: number;
  readonly pieces: readonly Piece[];
  readonly buffers: readonly number[];
  readonly sources: readonly Ref[];
}

interface MdlRecord {
  readonly extent: Extent;
  readonly next: Ref | null;
}

/**
 * Not less than `descriptionBytes`, found without looking at pages: a piece that lies badly touches two pages more than
 * its bytes fill.
 */
export function descriptionBound({ pieces, length }: Request): number {
  return 24 * pieces.length + 8 * Math.ceil(length / PAGE_BYTES);
}

function requestOf(
  { pieces, buffers, sources, byteCount }: Extent,
  { offset, length }: { readonly offset: number; readonly length: number },
): Request {
  return { offset, length, total: byteCount, pieces, buffers, sources };
}

/** Host pages are counted far above the guest's, so that a number says whose page it is. */
const HOST_BASE = 2 ** 32;

/** The pages of all live objects that have any. */
export class GuestPages {
  readonly #partitions = { guest: new PageAllocator(0), host: new PageAllocator(HOST_BASE) };
  readonly #buffers = new NumberMap<Extent>();
  readonly #mdls = new NumberMap<MdlRecord>();
  readonly #gpadls = new NumberMap<Extent>();
  readonly #allocations = new NumberMap<Extent>();
  /** What the call of this event asked for, until something changes: several rules want to know. */
  #askedAt = 0;
  #asked: Request | null = null;

  /** What an object stands for, while it lives and is known; undefined otherwise. */
  extentOf(ref: Ref): Extent | undefined {
    if (ref.kind === "gpadl") return this.#gpadls.get(ref.number);
    if (ref.kind === "allocation") return this.#allocations.get(ref.number);
    if (ref.kind === "mdl") return this.#mdls.get(ref.number)?.extent;
    return ref.kind === "buffer" ? this.#buffers.get(ref.number) : undefined;
  }

  /** Whether a buffer of this number lives and is known. */
  hasBuffer(number: number): boolean {
    return this.#buffers.has(number);
  }

  /** Takes a call that succeeded. */
  returned(call: CallView): void {
    if (!call.succeeded) return;
    const { outcome, shape } = call;
    const made = outcome?.form === "value" && isRef(outcome.value) ? outcome.value : null;
    if (made?.kind === "buffer") this.#addBuffer(call, made);
    else if (made?.kind === "mdl") this.#addMdl(call, made);
    const { gpadlVerb } = shape;
    if (gpadlVerb === "create") this.#addGpadl(call);
    else if (gpadlVerb === "map") this.#addMapping(call);
    if (shape.createsAllocations) this.#addAllocations(call);
    this.#askedAt = 0;
  }

  /** Forgets an object; a buffer's pages are free again. */
  ended(ref: Ref): void {
    this.#askedAt = 0;
    if (ref.kind === "gpadl") this.#gpadls.delete(ref.number);
    else if (ref.kind === "allocation") this.#allocations.delete(ref.number);
    else if (ref.kind === "mdl") this.#mdls.delete(ref.number);
    if (ref.kind !== "buffer") return;
    const runs = this.#buffers.get(ref.number)?.pieces[0]?.runs;
    this.#buffers.delete(ref.number);
    if (runs !== undefined) this.#partitions[(runs[0]?.start ?? 0) >= HOST_BASE ? "host" : "guest"].free(runs);
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
    const ref = refOf(call.outs, "gpadl");
    const request = this.request(call);
    if (ref === null || request === null) return;
    this.#gpadls.set(ref.number, new Slice(request, request));
  }

  #addMapping(call: CallView): void {
    const gpadl = call.objectAt(call.shape.at.gpadl);
    const ref = refOf(call.outs, "mdl");
    const extent = gpadl === null ? undefined : this.#gpadls.get(gpadl.number);
    if (ref !== null && extent !== undefined) this.#mdls.set(ref.number, { extent, next: null });
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
      const record = this.#mdls.get(ref.number);
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

/** The part of a byte string over pieces; what reaches outside is cut off, but not inside the last page. */
function slicePieces(
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
export function descriptionBytes({ pieces, offset, length }: Request): number {
  return slicePieces(pieces, { offset, length }).reduce((sum, piece) => sum + 8 + 8 * pagesIn(piece), 0);
}
