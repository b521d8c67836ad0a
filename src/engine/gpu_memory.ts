// What reading, writing and executing through GPU virtual addresses does: page states, rights, residency. Rules:
// gpuva.md 4.8. It must not know which calls made the pages what they are, nor what a fault leads to.

import { type ModelOptions, PAGE_BYTES, SYMBOLS } from "../api/mod.ts";
import { allocationDataOf } from "./allocation_end.ts";
import type { PageEntry, PageSpan } from "./address_space.ts";
import { spaceBehind } from "./gpu_process.ts";
import type { EngineObject } from "./objects.ts";
import { isReachable } from "./residency_state.ts";
import type { World } from "./world.ts";

/** Bytes of a word of the pattern that the GPU stores. */
export const WORD_BYTES = 8;

const { Read, Write } = SYMBOLS.access;

/** One access of a command. */
export interface GpuAccess {
  readonly address: bigint;
  readonly byteCount: number;
  /** One of `SYMBOLS.access`. */
  readonly access: number;
}

/** Who touches memory: a context, and the sequence of the work; Infinity: now, after all that was queued. */
export interface Reader {
  readonly context: EngineObject<"context">;
  readonly sequence: number;
}

interface Bytes {
  /** In bytes, inclusive. */
  readonly start: bigint;
  /** In bytes, exclusive. */
  readonly end: bigint;
}

/**
 * Touches bytes through the page tables of the context's GPU as they are at this moment; null, or the first byte that
 * cannot be reached. Every page is checked before the first byte is stored, so a fault has no effect.
 */
export function touch(world: World, reader: Reader, { address, byteCount, access }: GpuAccess): bigint | null {
  const { context } = reader;
  const space = spaceBehind(world, context)?.space;
  const bytes = { start: address, end: address + BigInt(byteCount) };
  const span = pagesOf(bytes);
  if (space === undefined || span.start >= space.pageLimit) return address;
  const inside = { start: span.start, end: Math.min(span.end, space.pageLimit) };
  const pieces = [...space.walk(context.data.physicalAdapter, inside)];
  const faulted = pieces.find(({ value }) => !allows(world.options, value, access) || !isThere(world, reader, value));
  const beyond = span.end > inside.end ? inside.end : null;
  const faultedPage = faulted?.start ?? beyond;
  if (faultedPage !== null) return later(address, BigInt(faultedPage) * BigInt(PAGE_BYTES));
  if (access === Write) {
    for (const { start, end, value } of pieces) if (value !== undefined) store(world, { start, end, value }, bytes);
  }
  return null;
}

/**
 * Zero pages read 0 and drop writes; of a mapped page reading is always allowed, and what the MMU cannot forbid: it may
 * know no pages that are read-only, or that must not be executed.
 */
function allows(options: ModelOptions, entry: PageEntry | undefined, access: number): boolean {
  if (entry === undefined || entry.state === "invalid") return false;
  if (access === Read || options[access === Write ? "read-only-memory" : "no-execute-memory"] === "ignored") {
    return true;
  }
  const needed = access === Write ? SYMBOLS.protection.Write : SYMBOLS.protection.Execute;
  return (entry.state === "zero" && access === Write) || (BigInt(entry.protection) & needed) !== 0n;
}

/** What is not resident faults like what is not mapped. */
function isThere(world: World, { context, sequence }: Reader, entry: PageEntry | undefined): boolean {
  if (entry === undefined || entry.allocation === 0) return true;
  const data = allocationDataOf(world, entry.allocation);
  return data !== undefined && isReachable(world.options, data, { device: context.data.device, sequence });
}

function later(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
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
  const data = allocationDataOf(world, value.allocation);
  if (data === undefined) return;
  for (let virtual = start; virtual < end; virtual += 1) {
    const page = data.pages[virtual - value.origin];
    if (page === undefined) throw new Error(`allocation#${value.allocation} has no page ${virtual - value.origin}`);
    const base = BigInt(virtual) * BigInt(PAGE_BYTES);
    const from = bytes.start > base ? Number(bytes.start - base) : 0;
    const to = bytes.end < base + BigInt(PAGE_BYTES) ? Number(bytes.end - base) : PAGE_BYTES;
    world.writeMemory(data.partition, page, { offset: from, bytes: patternOf(base).subarray(from, to) });
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
