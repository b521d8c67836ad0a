// The machine's memory, time and faults. Rules: spec notation, "The machine"; wdm's MDL.

import { findPlan, ntSuccess, PAGE_BYTES, printObject } from "../api/mod.ts";
import { type Behaviour, done, refuse, type Reply, type Scope, value } from "./behaviour.ts";
import type { EngineObject, PartitionName, Piece } from "./objects.ts";
import { piecesOf, runsOf } from "./pieces.ts";

/** The largest buffer, in bytes: 1 GiB. */
export const MAX_BUFFER_BYTES = 1 << 30;
/** The last moment, in nanoseconds: a trace keeps time in 64 bits. */
const MAX_TIME_NS = (1n << 64n) - 1n;

function allocateBuffer(scope: Scope, byteCount: number, byteOffset: number): Reply {
  if (byteCount === 0 || byteCount > MAX_BUFFER_BYTES) return refuse(`a buffer has 1 to ${MAX_BUFFER_BYTES} bytes`);
  if (byteOffset >= PAGE_BYTES) return refuse(`ByteOffset ${byteOffset} is not inside the first page`);
  const partition = partitionOf(scope.side);
  const piece = scope.world.memory.allocatePiece(partition, { byteOffset, byteCount });
  return value(scope.create("buffer", { partition, pieces: [piece] }).ref);
}

function partitionOf(side: string): PartitionName {
  return side === "host" ? "host" : "guest";
}

function freeBuffer(scope: Scope, buffer: EngineObject<"buffer">): Reply {
  const { partition, pieces: [piece] } = buffer.data;
  scope.world.memory.free(partition, piece.pages);
  return done();
}

function createMdl(
  scope: Scope,
  buffer: EngineObject<"buffer">,
  byteOffset: number,
  byteCount: number,
  next: EngineObject<"mdl"> | null,
): Reply {
  const { pieces, partition } = buffer.data;
  const room = pieces[0].byteCount;
  const length = byteCount === 0 ? room - byteOffset : byteCount;
  if (length <= 0 || byteOffset + length > room) {
    return refuse(`bytes ${byteOffset} to ${byteOffset + length} are outside ${printObject(buffer)} of ${room} bytes`);
  }
  return value(
    scope.create("mdl", {
      partition,
      whole: pieces,
      startOffset: byteOffset,
      byteCount: length,
      next: next?.number ?? 0,
      gpadl: 0,
      buffer: buffer.number,
      completion: 0,
    }).ref,
  );
}

function freeMdl(_scope: Scope, mdl: EngineObject<"mdl">): Reply {
  const { completion } = mdl.data;
  if (completion !== 0) return refuse(`mdl#${mdl.number} is the external data of completion#${completion}`);
  return mdl.data.gpadl === 0 ? done() : refuse(`mdl#${mdl.number} belongs to the mapping of gpadl#${mdl.data.gpadl}`);
}

function writeBuffer(scope: Scope, buffer: EngineObject<"buffer">, offset: number, data: Uint8Array): Reply {
  return write(scope, buffer.data, { offset, data });
}

function readBuffer(scope: Scope, buffer: EngineObject<"buffer">, offset: number, byteCount: number): Reply {
  return read(scope, buffer.data, { offset, length: byteCount });
}

function writeMdl(scope: Scope, mdl: EngineObject<"mdl">, offset: number, data: Uint8Array): Reply {
  return write(scope, { partition: mdl.data.partition, pieces: piecesOf(mdl.data) }, { offset, data });
}

function readMdl(scope: Scope, mdl: EngineObject<"mdl">, offset: number, byteCount: number): Reply {
  return read(scope, { partition: mdl.data.partition, pieces: piecesOf(mdl.data) }, { offset, length: byteCount });
}

interface Bytes {
  readonly partition: PartitionName;
  readonly pieces: readonly Piece[];
}

function write(
  scope: Scope,
  { partition, pieces }: Bytes,
  { offset, data }: { readonly offset: number; readonly data: Uint8Array },
): Reply {
  const runs = runsOf(pieces, { offset, length: data.length });
  if (runs.length === 0 && data.length > 0) {
    return refuse(`bytes ${offset} to ${offset + data.length} are outside its pages`);
  }
  let written = 0;
  for (const { page, offset, length } of runs) {
    const bytes = length === data.length ? data : data.subarray(written, written + length);
    scope.world.writeMemory(partition, page, { offset, bytes });
    written += length;
  }
  return done();
}

function read(
  scope: Scope,
  { partition, pieces }: Bytes,
  { offset, length }: { readonly offset: number; readonly length: number },
): Reply {
  const runs = runsOf(pieces, { offset, length });
  if (runs.length === 0 && length > 0) return refuse(`bytes ${offset} to ${offset + length} are outside its pages`);
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const run of runs) {
    bytes.set(scope.world.memory.read({ partition, page: run.page, offset: run.offset }, run.length), at);
    at += run.length;
  }
  return value(bytes);
}

function pfnArray(_scope: Scope, { data }: EngineObject<"mdl">): Reply {
  return done(piecesOf(data).flatMap(({ pages }) => [...pages].map(BigInt)));
}

function advanceTime({ world }: Scope, nanoseconds: bigint): Reply {
  const timeNs = world.timeNs + nanoseconds;
  if (timeNs > MAX_TIME_NS) return refuse(`virtual time ends at ${MAX_TIME_NS} ns`);
  world.timeNs = timeNs;
  world.waiters.reach(timeNs);
  return done();
}

function failNext(scope: Scope, call: string, status: number, skip: number): Reply {
  if (ntSuccess(status)) return refuse("Status is not a failure");
  if (findPlan(call) === undefined) return refuse(`there is no call ${call}`);
  scope.world.faults.push({ call, status, skip });
  return done();
}

/** Behaviours of memory, time and faults. */
export const MACHINE_BEHAVIOURS = {
  AllocateBuffer: allocateBuffer,
  FreeBuffer: freeBuffer,
  CreateMdl: createMdl,
  FreeMdl: freeMdl,
  WriteBuffer: writeBuffer,
  ReadBuffer: readBuffer,
  WriteMdl: writeMdl,
  ReadMdl: readMdl,
  MmGetMdlPfnArray: pfnArray,
  AdvanceTime: advanceTime,
  FailNext: failNext,
} as const satisfies Readonly<Record<string, Behaviour>>;
