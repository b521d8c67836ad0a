// What a driver asks to be sent, checked and put together: bytes, external data, who waits for what (kmcl.md 2.4, 6.1).
// It must not know who sends: packet objects and synchronous requests ask the same.

import { PAGE_BYTES, SYMBOLS } from "../api/mod.ts";
import { optionStatus } from "./behaviour.ts";
import type { Channel } from "./ends.ts";
import { chainOf } from "./gpadl.ts";
import type { EngineObject, Outgoing, Piece } from "./objects.ts";
import { holds, pageCountOf, piecesOf } from "./pieces.ts";
import type { GpaRange } from "./ring.ts";
import { limitTrouble } from "./transport.ts";
import type { World } from "./world.ts";

type Mdl = EngineObject<"mdl">;

const { WAIT_FOR_COMPLETION, FORCE_MDL_LENGTH } = SYMBOLS.packetFlags;
const FLAGS_MASK = Object.values(SYMBOLS.packetFlags).reduce((mask, bit) => mask | bit, 0);
/** Page frame numbers have 40 bits on the systems that KMCL runs on. */
const PFN_LIMIT = 1n << 40n;

/** External data as it was asked for: pieces of guest memory, null where they make no sense. */
export interface ExternalData {
  readonly pieces: readonly Piece[] | null;
  readonly chainLength: number;
  /** The call is one that wants WAIT_FOR_COMPLETION set. */
  readonly mustWait: boolean;
}

/** What is asked to be sent. */
export interface SendRequest {
  readonly buffer: Uint8Array;
  readonly length: number;
  readonly flags: number;
  readonly external: ExternalData | null;
}

/** What stands for it in a queue, but for who sent it. */
export type Sendable = Pick<Outgoing, "waits" | "ranges" | "chainLength" | "payload">;

/**
 * Why it cannot be sent, as a status, or what to send. In order: flag bits that do not exist, more bytes than the maximum or
 * than the buffer has, external data of a server, without its flag, outside its memory, more than the peer or its ring takes.
 */
export function prepare(world: World, channel: Channel, request: SendRequest): number | Sendable {
  const { buffer, length, flags, external } = request;
  const { options } = world;
  if ((flags & ~FLAGS_MASK) !== 0) return optionStatus(options, "bad-flags-status");
  if (length > channel.data.transport.maximumPacketBytes || length > buffer.length) {
    return optionStatus(options, "packet-size-status");
  }
  const waits = (flags & WAIT_FOR_COMPLETION) !== 0;
  if (external !== null) {
    const hasData = external.pieces === null || external.pieces.length > 0;
    if (hasData && channel.data.isServer) return optionStatus(options, "wrong-endpoint-status");
    if ((external.mustWait && !waits) || external.pieces === null) return optionStatus(options, "external-data-status");
  }
  const sendable = {
    waits,
    ranges: (external?.pieces ?? []).map(rangeOf),
    chainLength: external?.chainLength ?? 0,
    payload: buffer.slice(0, length),
  };
  return limitTrouble(world, channel, sendable) ?? sendable;
}

function rangeOf(piece: Piece): GpaRange {
  const { byteCount, byteOffset, pages } = piece;
  return { byteCount, byteOffset, pages: pages.slice(0, pageCountOf(piece)) };
}

/** A part of an MDL chain, each of its MDLs a piece; a length of 0 is all that follows. With FORCE_MDL_LENGTH only of the first MDL, to its page's end. */
export function externalMdl(
  world: World,
  mdl: Mdl | null,
  { offset, length, flags, mustWait }: {
    readonly offset: number;
    readonly length: number;
    readonly flags: number;
    readonly mustWait: boolean;
  },
): ExternalData | null {
  if (mdl === null) return mustWait ? { pieces: [], chainLength: 0, mustWait } : null;
  const chain = chainOf(world, mdl);
  const isForced = (flags & FORCE_MDL_LENGTH) !== 0;
  const whole = chain !== null && isForced ? piecesOf(mdl.data) : chain;
  const total = (whole ?? []).reduce((sum, { byteCount }) => sum + byteCount, 0);
  const wanted = length === 0 ? Math.max(0, total - offset) : length;
  const room = isForced ? whole?.map(toPageEnd) : whole;
  const isSound = room !== null && room !== undefined && holds(room, offset, wanted);
  const pieces = isSound ? piecesOf({ whole: room, startOffset: offset, byteCount: wanted }) : null;
  return { pieces, chainLength: pieces?.length ?? 0, mustWait };
}

function toPageEnd(piece: Piece): Piece {
  const { pages, byteOffset } = piece;
  return { pages, byteOffset, byteCount: pageCountOf(piece) * PAGE_BYTES - byteOffset };
}

/** Whole pages by their numbers; `count` of them are meant (kmcl.md X9). */
export function externalPfns(pfns: readonly bigint[], count: number): ExternalData {
  const isWhole = count > 0 && count <= pfns.length && pfns.slice(0, count).every((pfn) => pfn < PFN_LIMIT);
  const pages = isWhole ? pfns.slice(0, count).map(Number) : [];
  return {
    pieces: isWhole ? [{ pages, byteOffset: 0, byteCount: count * PAGE_BYTES }] : null,
    chainLength: 1,
    mustWait: true,
  };
}
