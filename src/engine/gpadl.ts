// GPADLs: guest memory shown to the server, mapped there, unmapped, taken back. Rules: kmcl.md 2.3, 5.
// A GPADL holds page numbers, not buffers: memory freed under it stays reachable through it (rule G-19 is the audit's).

import { SYMBOLS } from "../api/mod.ts";
import {
  answer,
  type Behaviour,
  blockedOn,
  done,
  optionStatus,
  refuse,
  type Reply,
  type Scope,
  success,
} from "./behaviour.ts";
import { type Channel, hasOpenedBegun, isUp } from "./connection.ts";
import type { EngineObject, PartOfPieces, Piece } from "./objects.ts";
import { extentOf, holds, piecesOf } from "./pieces.ts";
import { sendGpadl, sendRefusedGpadl, sendTeardown, sendTorndown } from "./vmbus.ts";
import type { World } from "./world.ts";

type Gpadl = EngineObject<"gpadl">;
type Mdl = EngineObject<"mdl">;

const READ_ONLY = SYMBOLS.gpadlFlags.READ_ONLY;
/** A description on the wire is at most this long: a header and a page frame number of 8 bytes each (kmcl.md G-20). */
const MAX_DESCRIPTION_BYTES = 65_535;
const RANGE_HEADER_BYTES = 8;
const PFN_BYTES = 8;

/** What is left of a GPADL or a mapping that ended: a dead object is remembered for long, its pages need not be. */
const NO_PIECES: readonly Piece[] = [];
const NO_MAPPINGS: readonly number[] = [];

function createFromBuffer(
  scope: Scope,
  channel: Channel,
  flags: number,
  buffer: EngineObject<"buffer">,
  byteCount: number,
): Reply {
  const { pieces, partition } = buffer.data;
  return create(scope, channel, { flags, whole: partition === "guest" ? pieces : null, startOffset: 0, byteCount });
}

/** Offset and length count through the whole chain as through one byte string (kmcl.md 5.2). */
function createFromMdl(
  scope: Scope,
  channel: Channel,
  flags: number,
  mdl: Mdl,
  offset: number,
  dataLength: number,
): Reply {
  const whole = chainOf(scope.world, mdl);
  const total = (whole ?? []).reduce((sum, piece) => sum + piece.byteCount, 0);
  const byteCount = dataLength === 0 ? Math.max(0, total - offset) : dataLength;
  return create(scope, channel, { flags, whole, startOffset: offset, byteCount });
}

/** The pieces of a chain of MDLs, null where it is broken or not all the guest's own memory. */
export function chainOf(world: World, first: Mdl): readonly Piece[] | null {
  const pieces: Piece[] = [];
  let mdl: Mdl | undefined = first;
  while (mdl !== undefined) {
    if (mdl.data.partition !== "guest" || mdl.data.gpadl !== 0 || mdl.data.completion !== 0) return null;
    pieces.push(...piecesOf(mdl.data));
    if (mdl.data.next === 0) return pieces;
    mdl = world.find("mdl", mdl.data.next);
  }
  return null;
}

/** What a GPADL is asked to describe; `whole` null: not memory that a guest can show. */
interface Request {
  readonly flags: number;
  readonly whole: readonly Piece[] | null;
  readonly startOffset: number;
  readonly byteCount: number;
}

function create(scope: Scope, channel: Channel, { flags, whole, startOffset, byteCount }: Request): Reply {
  const { world } = scope;
  const { options } = world;
  if (!hasOpenedBegun(world, channel)) return answer(optionStatus(options, "refusal-status"));
  if ((flags & ~READ_ONLY) !== 0) return answer(optionStatus(options, "bad-flags-status"));
  if (whole === null) return answer(optionStatus(options, "refusal-status"));
  const part = { whole, startOffset, byteCount };
  if (!holds(whole, startOffset, byteCount) || descriptionBytes(part) > MAX_DESCRIPTION_BYTES) {
    return answer(optionStatus(options, "gpadl-range-status"));
  }
  if (world.liveCountOf("gpadl") >= limitOf(options["gpadl-limit"])) {
    const status = optionStatus(options, "gpadl-limit-status");
    sendRefusedGpadl(world, channel, { pieces: piecesOf(part), status });
    return answer(status);
  }
  const gpadl = scope.create("gpadl", {
    channel: channel.number,
    server: channel.data.peer,
    connection: channel.data.connection,
    readOnly: (flags & READ_ONLY) !== 0,
    whole,
    startOffset,
    byteCount,
    mapping: 0,
    laterMappings: NO_MAPPINGS,
    isDeleting: false,
    wasUnmapped: false,
  }, channel);
  sendGpadl(world, channel, gpadl);
  return success(gpadl.ref);
}

function limitOf(option: string): number {
  return option === "none" ? Number.POSITIVE_INFINITY : Number(option);
}

function descriptionBytes(part: PartOfPieces): number {
  const { pieces, pages } = extentOf(part);
  return pieces * RANGE_HEADER_BYTES + pages * PFN_BYTES;
}

/** Waits while the server has it mapped; from the first moment on no new mapping is made (kmcl.md 5.4, 5.5). */
function deleteGpadl(scope: Scope, channel: Channel, gpadl: Gpadl): Reply {
  const { world } = scope;
  const isSpared = isWaitSpared(world, channel, gpadl);
  if (!scope.retry) {
    const trouble = deleteTrouble(world, channel, gpadl);
    if (trouble !== null) return refuse(trouble);
    gpadl.data.isDeleting = true;
    gpadl.state = "deleting";
    if (!isSpared) sendTeardown(world, gpadl);
  }
  if (gpadl.data.mapping !== 0 && !isSpared) {
    const keys = [["gpadl", gpadl.number], ["rescind", channel.number]] as const;
    return blockedOn({ keys }, () => gpadl.data.mapping !== 0 && !isWaitSpared(world, channel, gpadl));
  }
  sendTorndown(world, gpadl, { isAnswered: scope.retry || !isSpared });
  if (world.options["handle-reuse"] === "after-delete") world.releaseHandle(gpadl);
  gpadl.data.whole = NO_PIECES;
  return done();
}

function deleteTrouble(world: World, channel: Channel, gpadl: Gpadl): string | null {
  const { data } = gpadl;
  if (data.channel !== channel.number) return belongsElsewhere(gpadl, channel);
  if (data.isDeleting) return `gpadl#${gpadl.number} is being deleted`;
  const isRefused = !isUp(channel, data.connection) && world.options["delete-on-closed"] === "refuse";
  return isRefused ? `channel#${channel.number} has closed since gpadl#${gpadl.number} was created` : null;
}

function belongsElsewhere({ number, data }: Gpadl, channel: Channel): string {
  return `gpadl#${number} is of channel#${data.channel} and its server channel#${data.server}, not channel#${channel.number}`;
}

/** A guest does not wait for a host that revoked the channel, where the option says so (kmcl.md 9.10). */
function isWaitSpared(world: World, channel: Channel, gpadl: Gpadl): boolean {
  return world.options["rescind-delete"] === "returns" && channel.data.isRescinded &&
    channel.data.connection === gpadl.data.connection;
}

function map(scope: Scope, channel: Channel, flags: number, gpadl: Gpadl): Reply {
  const status = mapTrouble(scope.world, channel, { flags, gpadl });
  if (status !== null) return answer(status);
  const { data } = gpadl;
  const { whole, startOffset, byteCount } = data;
  const mdl = scope.create("mdl", {
    partition: "guest",
    whole,
    startOffset,
    byteCount,
    next: 0,
    gpadl: gpadl.number,
    buffer: 0,
    completion: 0,
  }, gpadl);
  if (data.mapping === 0) data.mapping = mdl.number;
  else data.laterMappings = [...data.laterMappings, mdl.number];
  gpadl.state = "mapped";
  return success(mdl.ref);
}

function mapTrouble(
  { options }: World,
  channel: Channel,
  { flags, gpadl: { data } }: { readonly flags: number; readonly gpadl: Gpadl },
): number | null {
  if (!isUp(channel, channel.data.connection) && options["map-after-close"] === "refuse") {
    return optionStatus(options, "refusal-status");
  }
  if (data.server !== channel.number || data.isDeleting) return optionStatus(options, "unknown-gpadl-status");
  if ((flags & ~READ_ONLY) !== 0) return optionStatus(options, "bad-flags-status");
  if (data.readOnly && (flags & READ_ONLY) === 0) return optionStatus(options, "read-only-map-status");
  if (data.wasUnmapped && options["map-after-unmap"] === "refuse") return optionStatus(options, "refusal-status");
  const isTaken = data.mapping !== 0 && options["mapping-limit"] === "one";
  return isTaken ? optionStatus(options, "double-map-status") : null;
}

/** Legal while mapped, whatever became of the channel; where there are many mappings, the oldest goes. */
function unmap({ world }: Scope, channel: Channel, gpadl: Gpadl): Reply {
  const { data } = gpadl;
  if (data.server !== channel.number) return refuse(belongsElsewhere(gpadl, channel));
  if (data.mapping === 0) return refuse(`gpadl#${gpadl.number} is not mapped`);
  const mdl = world.find("mdl", data.mapping);
  if (data.laterMappings.length === 0) data.mapping = 0;
  else [data.mapping = 0, ...data.laterMappings] = data.laterMappings;
  data.wasUnmapped = true;
  world.waiters.wake("gpadl", gpadl.number);
  if (mdl !== undefined) {
    mdl.data.whole = NO_PIECES;
    world.destroy(mdl);
  }
  if (!data.isDeleting && data.mapping === 0) gpadl.state = "live";
  return done();
}

/** Behaviours of GPADLs. */
export const GPADL_BEHAVIOURS = {
  VmbChannelCreateGpadlFromBuffer: createFromBuffer,
  VmbChannelCreateGpadlFromMdl: createFromMdl,
  VmbChannelDeleteGpadl: deleteGpadl,
  VmbChannelMapGpadl: map,
  VmbChannelUnmapGpadl: unmap,
} as const satisfies Readonly<Record<string, Behaviour>>;
