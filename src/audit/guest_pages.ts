// Which pages buffers, MDLs, GPADLs and allocations stand for, folded from the machine's calls. Numbers are the audit's
// own: pages of a partition are given out lowest first, as AllocateBuffer is declared. It judges nothing.

import { isRef, PAGE_BYTES, type Ref } from "../api/mod.ts";
import { numberIn, refOf } from "./call_shapes.ts";
import type { CallView } from "./detector.ts";
import { madeAllocations } from "./gpu_call_values.ts";
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
  readonly byteCount: number;
  /** Buffers and MDLs that it was made of. */
  readonly sources: readonly Ref[];
}

/** A request for bytes that a call made: which of how many, or of what is dead or was never seen. */
export interface Request {
  readonly offset: number;
  readonly length: number;
  /** Bytes that there are. */
  readonly total: number;
  readonly pieces: readonly Piece[];
  readonly sources: readonly Ref[];
}

interface MdlRecord {
  readonly extent: Extent;
  readonly next: Ref | null;
}

/** Host pages are counted far above the guest's, so that a number says whose page it is. */
const HOST_BASE = 2 ** 32;

/** The pages of all live objects that have any. */
export class GuestPages {
  readonly #partitions = { guest: new PageAllocator(0), host: new PageAllocator(HOST_BASE) };
  readonly #buffers = new Map<number, Piece>();
  readonly #mdls = new Map<number, MdlRecord>();
  readonly #gpadls = new Map<number, Extent>();
  readonly #allocations = new Map<number, Extent>();

  /** What an object stands for, while it lives and is known; undefined otherwise. */
  extentOf(ref: Ref): Extent | undefined {
    if (ref.kind === "gpadl") return this.#gpadls.get(ref.number);
    if (ref.kind === "allocation") return this.#allocations.get(ref.number);
    if (ref.kind === "mdl") return this.#mdls.get(ref.number)?.extent;
    const piece = ref.kind === "buffer" ? this.#buffers.get(ref.number) : undefined;
    return piece === undefined ? undefined : { pieces: [piece], byteCount: piece.byteCount, sources: [ref] };
  }

  /** Takes a call that succeeded. */
  returned(call: CallView): void {
    if (!call.succeeded) return;
    const made = call.out("return");
    const ref = isRef(made) ? made : null;
    if (ref?.kind === "buffer") this.#addBuffer(call, ref);
    else if (ref?.kind === "mdl") this.#addMdl(call, ref);
    const verb = call.shape.verbOn("gpadl");
    if (verb === "create") this.#addGpadl(call);
    else if (verb === "map") this.#addMapping(call);
    if (call.shape.verbOn("allocation") === "create") this.#addAllocations(call);
  }

  /** Forgets an object; a buffer's pages are free again. */
  ended(ref: Ref): void {
    if (ref.kind === "gpadl") this.#gpadls.delete(ref.number);
    if (ref.kind === "allocation") this.#allocations.delete(ref.number);
    if (ref.kind === "mdl") this.#mdls.delete(ref.number);
    const piece = ref.kind === "buffer" ? this.#buffers.get(ref.number) : undefined;
    if (piece === undefined) return;
    this.#buffers.delete(ref.number);
    this.#partitions[(piece.runs[0]?.start ?? 0) >= HOST_BASE ? "host" : "guest"].free(piece.runs);
  }

  /** What a call asks a GPADL to describe; null where its source is dead or was never seen. */
  request(call: CallView): Request | null {
    const buffer = call.object("buffer");
    if (buffer !== null) {
      const extent = this.extentOf(buffer);
      return extent === undefined
        ? null
        : { ...extent, offset: 0, length: numberIn(call, "byteCount"), total: extent.byteCount };
    }
    const chain = this.#chain(call.object("mdl"));
    if (chain === null) return null;
    const offset = numberIn(call, "byteOffset");
    const length = numberIn(call, "byteCount") || Math.max(0, chain.byteCount - offset);
    return { ...chain, offset, length, total: chain.byteCount };
  }

  /** The pages that a CPU write touches, one by one; empty where its target is not known. */
  pagesWritten(call: CallView): readonly number[] {
    const data = call.in("bytes");
    const target = call.object("buffer") ?? call.object("mdl");
    const extent = target === null ? undefined : this.extentOf(target);
    if (!(data instanceof Uint8Array) || extent === undefined) return [];
    const slice = { offset: numberIn(call, "byteOffset"), length: data.length };
    return runsOf(slicePieces(extent.pieces, slice)).flatMap(({ start, end }) =>
      Array.from({ length: end - start }, (_, index) => start + index)
    );
  }

  #addBuffer(call: CallView, ref: Ref): void {
    const byteOffset = numberIn(call, "byteOffset");
    const byteCount = numberIn(call, "byteCount");
    const own = this.#partitions[call.side === "host" ? "host" : "guest"];
    const runs = own.allocate(Math.ceil((byteOffset + byteCount) / PAGE_BYTES));
    this.#buffers.set(ref.number, { runs, byteOffset, byteCount, buffer: ref.number });
  }

  #addMdl(call: CallView, ref: Ref): void {
    const buffer = call.object("buffer");
    const whole = buffer === null ? undefined : this.#buffers.get(buffer.number);
    if (buffer === null || whole === undefined) return;
    const offset = numberIn(call, "byteOffset");
    const length = numberIn(call, "byteCount") || whole.byteCount - offset;
    const pieces = slicePieces([whole], { offset, length });
    this.#mdls.set(ref.number, {
      extent: { pieces, byteCount: length, sources: [buffer, ref] },
      next: call.object("mdl"),
    });
  }

  #addGpadl(call: CallView): void {
    const ref = refOf(call.outs, "gpadl");
    const request = this.request(call);
    if (ref === null || request === null) return;
    const pieces = slicePieces(request.pieces, request);
    this.#gpadls.set(ref.number, { pieces, byteCount: request.length, sources: request.sources });
  }

  #addMapping(call: CallView): void {
    const gpadl = call.object("gpadl");
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
      const pieces = slicePieces([whole], { offset: 0, length });
      this.#allocations.set(ref.number, { pieces, byteCount: length, sources: [buffer] });
    }
  }

  /** A chain of MDLs as one byte string; null where a part is dead or was never seen. */
  #chain(first: Ref | null): Extent | null {
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
    return first === null
      ? null
      : { pieces, byteCount: pieces.reduce((sum, each) => sum + each.byteCount, 0), sources };
  }
}

/** The part of a byte string over pieces; what reaches outside is cut off, but not inside the last page. */
function slicePieces(
  pieces: readonly Piece[],
  { offset, length }: { readonly offset: number; readonly length: number },
): Piece[] {
  const part: Piece[] = [];
  let start = 0;
  for (const [index, piece] of pieces.entries()) {
    const isLast = index === pieces.length - 1;
    const room = isLast ? pagesIn(piece) * PAGE_BYTES - piece.byteOffset : piece.byteCount;
    const from = Math.max(offset, start);
    const to = Math.min(offset + length, start + room);
    if (from < to) part.push(slicePiece(piece, { offset: from - start, length: to - from }));
    start += piece.byteCount;
  }
  return part;
}

function slicePiece(piece: Piece, { offset, length }: { readonly offset: number; readonly length: number }): Piece {
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
  return runs.reduce((sum, { start, end }) => sum + end - start, 0);
}

/** The pages of pieces, in order. */
export function runsOf(pieces: readonly Piece[]): readonly PageRun[] {
  return pieces.flatMap((piece) => piece.runs);
}

/** A description on the wire, in bytes: a header of 8 per piece and 8 per page (kmcl.md 5.7). */
export function descriptionBytes({ pieces, offset, length }: Request): number {
  return slicePieces(pieces, { offset, length }).reduce((sum, piece) => sum + 8 + 8 * pagesIn(piece), 0);
}
