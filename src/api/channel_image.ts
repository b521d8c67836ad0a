// What a saved channel is in bytes (kmcl.md 6.2): chunks, each whole in itself, each bound to the one before it by that one's
// checksum. The real form is not public; this one is maptrail's own. It must not know when what is saved.
// Version 2 has the connection in the settings; version 1, which had none, is not read.
//
// chunk: "VMCI", version, kind, number from 0, checksum of the chunk before (4 bytes, 0 for the first), length, body,
// crc32 of all that (4 bytes). Numbers are varints where no width stands, others have their lowest byte first.
// Kinds: 1 the channel's settings, always the first; 2 a GPADL; 3 a packet; 4 the end, always the last, without a body.
// A packet's body holds its context, which a driver hands to VmbPacketRestore, and the driver's own bytes.

import {
  flagBits,
  readCount,
  readFlags,
  readGuid,
  readList,
  readRun,
  readU32,
  writeGuid,
  writeRun,
  writeU32,
} from "./image_bytes.ts";
import { ByteReader, ByteWriter, crc32, WireError } from "../wire/mod.ts";
import { PAGE_BYTES } from "./types.ts";

/** Where a chunk stands in a saved image: its number from 0, and the checksum of the chunk before. */
export interface ImagePosition {
  readonly sequence: number;
  readonly checksum: number;
}

/** A packet in use, as it is saved: what the library knows of it, and the driver's own bytes. */
export interface SavedPacket {
  readonly context: Uint8Array;
  readonly driverBytes: Uint8Array;
}

/** A range of a saved GPADL: bytes of pages that follow each other logically. */
export interface SavedPiece {
  readonly pages: readonly number[];
  /** Into the first page. */
  readonly byteOffset: number;
  readonly byteCount: number;
}

/** What a server's end knows of a GPADL (kmcl.md 5.9). */
export interface SavedGpadl {
  readonly handle: number;
  readonly isReadOnly: boolean;
  readonly isDeleting: boolean;
  readonly isMapped: boolean;
  readonly pieces: readonly SavedPiece[];
}

/** The connection of a saved channel: what a restored one goes on with. */
export interface SavedConnection {
  /** From 1, as the engine counts them. */
  readonly number: number;
  /** Page numbers of both rings, their control pages first. */
  readonly toServer: readonly number[];
  readonly toClient: readonly number[];
  /** Completions that wait for room in the ring, oldest first. */
  readonly responses: readonly SavedResponse[];
}

/** A completion that is not in the ring yet. */
export interface SavedResponse {
  readonly transaction: number;
  readonly payload: Uint8Array;
}

/** What a channel is configured with, but for function pointers and the driver's own pointer. */
export interface ChannelSettings {
  readonly interfaceType: string | null;
  readonly interfaceInstance: string | null;
  readonly latency: number;
  readonly mmioMegabytes: number;
  readonly maximumPacketBytes: number;
  readonly maximumExternalBytes: number;
  readonly maximumChainLength: number;
  readonly contextBytes: number;
  readonly quota: number;
  readonly requiresPassive: boolean;
  readonly forcesNewChannel: boolean;
  /** Null: it was not open. */
  readonly connection: SavedConnection | null;
  /** The transaction that the channel's next packet gets. */
  readonly nextTransaction: number;
}

/** What the library knows of a packet in use. */
export interface PacketContext {
  readonly transaction: number;
  readonly waits: boolean;
  /** It was in the ring, or beyond it: only its completion was awaited. */
  readonly wasSent: boolean;
  readonly payload: Uint8Array;
}

/** What a chunk says. */
export type ChunkContent =
  | { readonly kind: "channel"; readonly settings: ChannelSettings }
  | { readonly kind: "gpadl"; readonly gpadl: SavedGpadl }
  | { readonly kind: "packet"; readonly packet: SavedPacket }
  | { readonly kind: "end" };

/** Chunks that were read, and where the next one goes on. */
export interface ReadChunks {
  readonly contents: readonly ChunkContent[];
  readonly position: ImagePosition;
}

/** The version that is written, and the only one that is read. */
export const IMAGE_VERSION = 2;
/** The version of a packet's context. */
const CONTEXT_VERSION = 1;
/** Before the first chunk. */
export const IMAGE_START: ImagePosition = { sequence: 0, checksum: 0 };

const CHUNK_MAGIC = asciiBytes("VMCI");
const CONTEXT_MAGIC = asciiBytes("VMPC");
const CHECKSUM_BYTES = 4;
const KINDS = ["channel", "gpadl", "packet", "end"] as const;
const U16_MAX = 0xffff;
const U32_MAX = 0xffff_ffff;
/** What a GPADL can describe at most (kmcl.md 5.7). */
const MAX_GPADL_PAGES = 8190;
const MAX_GPADL_BYTES = MAX_GPADL_PAGES * PAGE_BYTES;

function asciiBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** A whole chunk that stands at a position; `positionAfter` says where the next one does. */
export function writeChunk(content: ChunkContent, { sequence, checksum }: ImagePosition): Uint8Array {
  const body = new ByteWriter();
  writeBody(body, content);
  const chunk = new ByteWriter();
  chunk.bytes(CHUNK_MAGIC);
  chunk.u8(IMAGE_VERSION);
  chunk.u8(KINDS.indexOf(content.kind) + 1);
  chunk.varint(sequence);
  writeU32(chunk, checksum);
  writeRun(chunk, body.view());
  return sealed(chunk);
}

/** The position behind a chunk that stands at this one. */
export function positionAfter(chunk: Uint8Array, { sequence }: ImagePosition): ImagePosition {
  return { sequence: sequence + 1, checksum: readU32(new ByteReader(chunk.subarray(chunk.length - CHECKSUM_BYTES))) };
}

/**
 * The chunks that bytes are made of, one or more, going on from a position; null where they are anything else: part of a
 * chunk, damaged, of another version or another image, out of order.
 */
export function readChunks(bytes: Uint8Array, start: ImagePosition): ReadChunks | null {
  return orNull(() => {
    const reader = new ByteReader(bytes);
    const contents: ChunkContent[] = [];
    let position = start;
    do {
      if (contents.at(-1)?.kind === "end") throw reader.error("nothing may stand behind the end");
      const from = reader.position;
      contents.push(readChunk(reader, { bytes, position }));
      position = positionAfter(bytes.subarray(from, reader.position), position);
    } while (reader.left > 0);
    return { contents, position };
  });
}

/** A packet's context, as VmbPacketRestore takes it. */
export function writeContext({ transaction, waits, wasSent, payload }: PacketContext): Uint8Array {
  const writer = new ByteWriter();
  writer.bytes(CONTEXT_MAGIC);
  writer.u8(CONTEXT_VERSION);
  writer.u8(flagBits(waits, wasSent));
  writer.varint(transaction);
  writeRun(writer, payload);
  return sealed(writer);
}

/** A packet's context out of its bytes; null where they are anything else. */
export function readContext(bytes: Uint8Array): PacketContext | null {
  return orNull(() => {
    const reader = new ByteReader(bytes);
    expectHead(reader, CONTEXT_MAGIC, CONTEXT_VERSION);
    const [waits, wasSent] = readFlags(reader, 2);
    const transaction = readCount(reader, { low: 1, high: Number.MAX_SAFE_INTEGER - 1 });
    const payload = readRun(reader).slice();
    expectSeal(reader, bytes);
    reader.expectEnd();
    return { transaction, waits: waits === true, wasSent: wasSent === true, payload };
  });
}

/** Bytes that make no sense are an answer here, not an error. */
function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}

function readChunk(
  reader: ByteReader,
  { bytes, position }: { readonly bytes: Uint8Array; readonly position: ImagePosition },
): ChunkContent {
  const from = reader.position;
  expectHead(reader, CHUNK_MAGIC, IMAGE_VERSION);
  const kind = KINDS[reader.u8() - 1];
  const sequence = reader.varint();
  const checksum = readU32(reader);
  const body = readRun(reader);
  expectSeal(reader, bytes.subarray(from));
  if (kind === undefined) throw reader.error("there is no such kind of chunk");
  if (sequence !== BigInt(position.sequence) || checksum !== position.checksum) {
    throw reader.error("the chunk does not follow the one before");
  }
  if ((kind === "channel") !== (position.sequence === 0)) throw reader.error("the settings come first, and once");
  const inner = new ByteReader(body);
  const content = readBody(inner, kind);
  inner.expectEnd();
  return content;
}

function writeBody(writer: ByteWriter, content: ChunkContent): void {
  switch (content.kind) {
    case "channel":
      return writeSettings(writer, content.settings);
    case "gpadl":
      return writeGpadl(writer, content.gpadl);
    case "packet":
      writeRun(writer, content.packet.context);
      return writeRun(writer, content.packet.driverBytes);
    case "end":
      return;
  }
}

function readBody(reader: ByteReader, kind: ChunkContent["kind"]): ChunkContent {
  switch (kind) {
    case "channel":
      return { kind, settings: readSettings(reader) };
    case "gpadl":
      return { kind, gpadl: readGpadl(reader) };
    case "packet":
      return { kind, packet: readPacket(reader) };
    case "end":
      return { kind };
  }
}

function writeSettings(writer: ByteWriter, settings: ChannelSettings): void {
  writer.u8(flagBits(settings.requiresPassive, settings.forcesNewChannel, settings.connection !== null));
  writeGuid(writer, settings.interfaceType);
  writeGuid(writer, settings.interfaceInstance);
  writer.varint(settings.latency);
  writer.varint(settings.mmioMegabytes);
  writer.varint(settings.maximumPacketBytes);
  writer.varint(settings.maximumExternalBytes);
  writer.varint(settings.maximumChainLength);
  writer.varint(settings.contextBytes);
  writer.varint(settings.quota);
  writer.varint(settings.nextTransaction);
  if (settings.connection !== null) writeConnection(writer, settings.connection);
}

function writeConnection(writer: ByteWriter, { number, toServer, toClient, responses }: SavedConnection): void {
  writer.varint(number);
  for (const pages of [toServer, toClient]) {
    writer.varint(pages.length);
    for (const page of pages) writer.varint(page);
  }
  writer.varint(responses.length);
  for (const { transaction, payload } of responses) {
    writer.varint(transaction);
    writeRun(writer, payload);
  }
}

function readConnection(reader: ByteReader): SavedConnection {
  return {
    number: readCount(reader, { low: 1, high: Number.MAX_SAFE_INTEGER }),
    toServer: readPages(reader),
    toClient: readPages(reader),
    responses: readList(reader, () => ({
      transaction: readCount(reader, { low: 0, high: Number.MAX_SAFE_INTEGER }),
      payload: readRun(reader).slice(),
    })),
  };
}

function readPages(reader: ByteReader): readonly number[] {
  return readList(reader, () => readCount(reader, { low: 0, high: Number.MAX_SAFE_INTEGER }));
}

function readSettings(reader: ByteReader): ChannelSettings {
  const [requiresPassive, forcesNewChannel, isConnected] = readFlags(reader, 3);
  return {
    requiresPassive: requiresPassive === true,
    forcesNewChannel: forcesNewChannel === true,
    interfaceType: readGuid(reader),
    interfaceInstance: readGuid(reader),
    latency: readCount(reader, { low: 0, high: U16_MAX }),
    mmioMegabytes: readCount(reader, { low: 0, high: 2 * U16_MAX }),
    maximumPacketBytes: readCount(reader, { low: 1, high: U32_MAX }),
    maximumExternalBytes: readCount(reader, { low: 1, high: U32_MAX }),
    maximumChainLength: readCount(reader, { low: 1, high: U32_MAX }),
    contextBytes: readCount(reader, { low: 0, high: U32_MAX }),
    quota: readCount(reader, { low: 0, high: U32_MAX }),
    nextTransaction: readCount(reader, { low: 1, high: Number.MAX_SAFE_INTEGER }),
    connection: isConnected === true ? readConnection(reader) : null,
  };
}

function writeGpadl(writer: ByteWriter, { handle, isReadOnly, isDeleting, isMapped, pieces }: SavedGpadl): void {
  writer.varint(handle);
  writer.u8(flagBits(isReadOnly, isDeleting, isMapped));
  writer.varint(pieces.length);
  for (const { byteOffset, byteCount, pages } of pieces) {
    writer.varint(byteOffset);
    writer.varint(byteCount);
    for (const page of pages) writer.varint(page);
  }
}

function readGpadl(reader: ByteReader): SavedGpadl {
  const handle = readCount(reader, { low: 1, high: U32_MAX });
  const [isReadOnly, isDeleting, isMapped] = readFlags(reader, 3);
  const count = readCount(reader, { low: 1, high: MAX_GPADL_PAGES });
  const pieces = Array.from({ length: count }, () => readPiece(reader));
  if (pieces.reduce((sum, { pages }) => sum + pages.length, 0) > MAX_GPADL_PAGES) {
    throw reader.error(`a GPADL has ${MAX_GPADL_PAGES} pages at most`);
  }
  return {
    handle,
    isReadOnly: isReadOnly === true,
    isDeleting: isDeleting === true,
    isMapped: isMapped === true,
    pieces,
  };
}

/** A range has just the pages that its bytes touch (kmcl.md 5.9: invalid ranges are not restored). */
function readPiece(reader: ByteReader): SavedPiece {
  const byteOffset = readCount(reader, { low: 0, high: PAGE_BYTES - 1 });
  const byteCount = readCount(reader, { low: 1, high: MAX_GPADL_BYTES });
  const length = Math.ceil((byteOffset + byteCount) / PAGE_BYTES);
  if (length > reader.left) throw reader.error(`${length} page numbers were wanted`);
  const pages = Array.from({ length }, () => readCount(reader, { low: 0, high: Number.MAX_SAFE_INTEGER }));
  return { pages, byteOffset, byteCount };
}

function readPacket(reader: ByteReader): SavedPacket {
  const context = readRun(reader).slice();
  return { context, driverBytes: readRun(reader).slice() };
}

function sealed(writer: ByteWriter): Uint8Array {
  writeU32(writer, crc32(writer.view()));
  return writer.copy();
}

/** Reads the checksum of what was read so far; `bytes` are those from where that began. */
function expectSeal(reader: ByteReader, bytes: Uint8Array): void {
  const end = bytes.length - reader.left;
  if (readU32(reader) !== crc32(bytes.subarray(0, end))) throw reader.error("the checksum is another");
}

function expectHead(reader: ByteReader, magic: Uint8Array, wanted: number): void {
  for (const letter of magic) if (reader.u8() !== letter) throw reader.error("this is no chunk");
  const version = reader.u8();
  if (version !== wanted) throw reader.error(`it has version ${version}, wanted ${wanted}`);
}
