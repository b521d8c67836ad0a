// Objects of kinds that come and go by the thousand serve again: what is not made anew is neither moved nor swept by the
// garbage collector. It must not know when.

import type { ObjectKind } from "../api/mod.ts";
import type { AnyData } from "./plain_data.ts";

/** Kinds whose objects serve again: those that come and go by the thousand. */
export const REFILLED: ReadonlySet<ObjectKind> = new Set(["gpadl", "mdl", "vad"]);

type Writable<T> = { -readonly [M in keyof T]: T[M] };

/** Gives an ended object's data to the next one of its kind, member by member; false: one data serves all of its kind. */
export function refill({ kind, data }: { readonly kind: ObjectKind; readonly data: AnyData }, fresh: AnyData): boolean {
  // The kind first: what is shared is not looked at.
  if (kind === "vad") return false;
  if ("laterMappings" in data) return "laterMappings" in fresh && copyGpadl(data, fresh);
  return "whole" in data && "whole" in fresh && !("laterMappings" in fresh) && copyMdl(data, fresh);
}

type GpadlData = Extract<AnyData, { readonly mapping: number }>;
type MdlData = Exclude<Extract<AnyData, { readonly whole: unknown }>, GpadlData>;

function copyGpadl(data: Writable<GpadlData>, fresh: GpadlData): true {
  data.channel = fresh.channel;
  data.server = fresh.server;
  data.connection = fresh.connection;
  data.readOnly = fresh.readOnly;
  data.whole = fresh.whole;
  data.startOffset = fresh.startOffset;
  data.byteCount = fresh.byteCount;
  data.mapping = fresh.mapping;
  data.laterMappings = fresh.laterMappings;
  data.isDeleting = fresh.isDeleting;
  data.wasUnmapped = fresh.wasUnmapped;
  return true;
}

function copyMdl(data: Writable<MdlData>, fresh: MdlData): true {
  data.partition = fresh.partition;
  data.whole = fresh.whole;
  data.startOffset = fresh.startOffset;
  data.byteCount = fresh.byteCount;
  data.next = fresh.next;
  data.gpadl = fresh.gpadl;
  data.buffer = fresh.buffer;
  data.completion = fresh.completion;
  return true;
}
