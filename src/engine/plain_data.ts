// Objects' data as a snapshot holds it, where it lives in another form: pages as lists, mappings as one list.
// It must not know what the data means.

import type { BufferData, GpadlData, MdlData, ObjectDataByKind, Piece } from "./objects.ts";
import { livingPiece, piecesOf, plainPiece } from "./pieces.ts";

/** A GPADL in a snapshot. */
export interface PlainGpadl
  extends
    Pick<GpadlData, "channel" | "server" | "connection" | "readOnly" | "byteCount" | "isDeleting" | "wasUnmapped"> {
  readonly pieces: readonly Piece[];
  /** Numbers of the MDLs of live mappings, oldest first. */
  readonly mappings: readonly number[];
}

/** An MDL in a snapshot. */
export interface PlainMdl extends Omit<MdlData, "whole" | "startOffset"> {
  readonly pieces: readonly Piece[];
}

/** A buffer in a snapshot. */
export interface PlainBuffer extends Pick<BufferData, "partition"> {
  readonly piece: Piece;
}

/** Data by kind, as a snapshot holds it. */
export interface PlainDataByKind extends Omit<ObjectDataByKind, "gpadl" | "mdl" | "buffer"> {
  gpadl: PlainGpadl;
  mdl: PlainMdl;
  buffer: PlainBuffer;
}

/** Any kind's data. */
export type AnyData = ObjectDataByKind[keyof ObjectDataByKind];
/** The same as a snapshot holds it. */
export type AnyPlainData = PlainDataByKind[keyof PlainDataByKind];

/** Numbers of the MDLs of a GPADL's live mappings, oldest first. */
export function mappingsOf({ mapping, laterMappings }: GpadlData): readonly number[] {
  return mapping === 0 ? [] : [mapping, ...laterMappings];
}

/** A copy of an object's data for a snapshot. */
export function plainData(data: AnyData): AnyPlainData {
  return structuredClone(plainForm(data));
}

/** What a copy of the data would be made of: some of it is the object's own. */
export function plainForm(data: AnyData): AnyPlainData {
  if ("laterMappings" in data) {
    const { channel, server, connection, readOnly, byteCount, isDeleting, wasUnmapped } = data;
    const pieces = piecesOf(data).map(plainPiece);
    const mappings = mappingsOf(data);
    return { channel, server, connection, readOnly, pieces, byteCount, mappings, isDeleting, wasUnmapped };
  }
  if ("whole" in data) {
    const { partition, byteCount, next, gpadl, buffer, completion } = data;
    return { partition, pieces: piecesOf(data).map(plainPiece), byteCount, next, gpadl, buffer, completion };
  }
  return "pieces" in data ? { partition: data.partition, piece: plainPiece(data.pieces[0]) } : data;
}

/** An object's data out of a snapshot, a copy. */
export function livingData(data: AnyPlainData): AnyData {
  if ("mappings" in data) {
    const { pieces, mappings, ...rest } = data;
    const [mapping = 0, ...laterMappings] = mappings;
    return { ...rest, whole: pieces.map(livingPiece), startOffset: 0, mapping, laterMappings };
  }
  if ("pieces" in data) {
    const { pieces, ...rest } = data;
    return { ...rest, whole: pieces.map(livingPiece), startOffset: 0 };
  }
  return "piece" in data ? { partition: data.partition, pieces: [livingPiece(data.piece)] } : structuredClone(data);
}
