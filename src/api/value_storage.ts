// How values of each storage stand in columns: what writer and reader of values agree on. Normative in trace/FORMAT.md.
// It must not know any particular call.

import type { Storage } from "./catalogue.ts";

/** What a column does with a value: one switch over these instead of a call to who knows whom. */
export const DOES = {
  unsigned: 0,
  signed: 1,
  unsigned64: 2,
  signed64: 3,
  flag: 4,
  text: 5,
  object: 6,
  nested: 7,
} as const;

/** What is done with values of each storage that are no arrays. */
export const DONE_WITH: Readonly<Record<Storage, (typeof DOES)[keyof typeof DOES]>> = {
  u8: DOES.unsigned,
  u16: DOES.unsigned,
  u32: DOES.unsigned,
  i32: DOES.signed,
  u64: DOES.unsigned64,
  i64: DOES.signed64,
  bool: DOES.flag,
  function: DOES.flag,
  text: DOES.text,
  guid: DOES.text,
  object: DOES.object,
  bytes: DOES.nested,
  struct: DOES.nested,
};

/** The code of null where an object is wanted. */
export const NULL_CODE = 0;
/** The code of a raw handle value. */
export const RAW_CODE = 1;
/** What the codes of objects are counted from. */
export const FIRST_CODE = 2;
/** The sign bit of 32 bits, flipped so that signed numbers order as unsigned ones. */
export const SIGN = 0x80000000;
/** The sign bit of 64 bits. */
export const SIGN_64 = 1n << 63n;
