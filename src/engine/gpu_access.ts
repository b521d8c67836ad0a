// What the GPU does to memory through its virtual addresses. Rules: gpuva.md 4.8.
// It must not know which calls made the pages what they are.

import { PAGE_BYTES, SYMBOLS } from "../api/mod.ts";
import type { PageEntry, PageSpan } from "./address_space.ts";
import { type Behaviour, fail, type Reply, type Scope, success } from "./behaviour.ts";
import { spaceBehind } from "./gpu_process.ts";
import type { EngineObject } from "./objects.ts";
import type { World } from "./world.ts";

/** The most bytes that one write can store: 64 MiB. */
export const MAX_WRITE_BYTES = 1 << 26;
/** Bytes of a word of the pattern that the GPU stores. */
export const WORD_BYTES = 8;

const { Read, Write, Execute } = SYMBOLS.access;

interface Bytes {
  /** In bytes, inclusive. */
  readonly start: bigint;
  /** In bytes, exclusive. */
  readonly end: bigint;
}

/**
 * Reads, writes or executes. What the page tables of the context's GPU say at this moment counts: a page whose map has
 * not completed faults like one without any, also where a queued wait would have held real work back.
 * Every page is checked before the first byte is stored, so a fault has no effect.
 */
function gpuAccess(
  { world }: Scope,
  context: EngineObject<"context">,
  virtualAddress: bigint,
  byteCount: number,
  access: number,
): Reply {
  if (byteCount === 0 || access > Execute) return fail("STATUS_INVALID_PARAMETER");
  if (access === Write && byteCount > MAX_WRITE_BYTES) return fail("STATUS_INVALID_PARAMETER");
  const space = spaceBehind(world, context)?.space;
  const bytes = { start: virtualAddress, end: virtualAddress + BigInt(byteCount) };
  const span = pagesOf(bytes);
  if (space === undefined || span.end > space.pageLimit) return fail("STATUS_ACCESS_VIOLATION");
  const pieces = [...space.walk(context.data.physicalAdapter, span)];
  if (!pieces.every(({ value }) => allows(value, access))) return fail("STATUS_ACCESS_VIOLATION");
  if (access === Write) {
    for (const { start, end, value } of pieces) if (value !== undefined) store(world, { start, end, value }, bytes);
  }
  return success();
}

/** Zero pages read 0 and drop writes; of a mapped page reading is always allowed. */
function allows(entry: PageEntry | undefined, access: number): boolean {
  if (entry === undefined || entry.state === "invalid") return false;
  if (access === Read) return true;
  const needed = access === Write ? SYMBOLS.protection.Write : SYMBOLS.protection.Execute;
  return (entry.state === "zero" && access === Write) || (BigInt(entry.protection) & needed) !== 0n;
}

function pagesOf({ start, end }: Bytes): PageSpan {
  const page = BigInt(PAGE_BYTES);
  return { start: Number(start / page), end: Number((end + page - 1n) / page) };
}

/** Stores the pattern into those of the pages' bytes that the access covers, page by page. */
function store(
  world: World,
  { start, end, value }: PageSpan & { readonly value: PageEntry },
  bytes: Bytes,
): void {
  const allocation = world.find("allocation", value.allocation);
  if (allocation === undefined) return;
  for (let virtual = start; virtual < end; virtual += 1) {
    const page = allocation.data.pages[virtual - value.origin];
    if (page === undefined) throw new Error(`allocation#${value.allocation} has no page ${virtual - value.origin}`);
    const base = BigInt(virtual) * BigInt(PAGE_BYTES);
    const from = bytes.start > base ? Number(bytes.start - base) : 0;
    const to = bytes.end < base + BigInt(PAGE_BYTES) ? Number(bytes.end - base) : PAGE_BYTES;
    const content = patternOf(base).subarray(from, to);
    world.writeMemory(allocation.data.partition, page, { offset: from, bytes: content });
  }
}

/** What the GPU writes: each aligned word of 8 bytes holds its own virtual address, low byte first. */
function patternOf(pageAddress: bigint): Uint8Array {
  const words = new DataView(new ArrayBuffer(PAGE_BYTES));
  for (let offset = 0; offset < PAGE_BYTES; offset += WORD_BYTES) {
    words.setBigUint64(offset, pageAddress + BigInt(offset), true);
  }
  return new Uint8Array(words.buffer);
}

/** Behaviours of the GPU's accesses. */
export const GPU_ACCESS_BEHAVIOURS = { GpuAccess: gpuAccess } as const satisfies Readonly<Record<string, Behaviour>>;
