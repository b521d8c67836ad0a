// The variable end of messages about fences: handles, contexts and values, one array after the other without a gap, in the
// order of dxgvmbus.c. It must not know who sends them.

import { handleBytes, wordBytes } from "./user_memory.ts";

const HANDLE_BYTES = 4;
const VALUE_BYTES = 8;

/** What a message about fences names. */
export interface FenceTail {
  readonly handles: readonly number[];
  readonly contexts?: readonly number[];
  readonly values: readonly bigint[];
}

/** Handles, contexts, values; values in front for a wait of the GPU. */
export function packFences(
  { handles, contexts = [], values }: FenceTail,
  { valuesFirst = false }: { readonly valuesFirst?: boolean } = {},
): Uint8Array {
  const [names, numbers] = [handleBytes([...handles, ...contexts]), wordBytes(values)];
  const bytes = new Uint8Array(names.length + numbers.length);
  bytes.set(names, valuesFirst ? numbers.length : 0);
  bytes.set(numbers, valuesFirst ? 0 : names.length);
  return bytes;
}

/** The arrays of a tail; null: they are not all there. Each object has a value. */
export function fencesIn(
  tail: Uint8Array,
  { objects, contexts = 0, valuesFirst = false }: {
    readonly objects: number;
    readonly contexts?: number;
    readonly valuesFirst?: boolean;
  },
): Required<FenceTail> | null {
  const names = (objects + contexts) * HANDLE_BYTES;
  if (names + objects * VALUE_BYTES > tail.length) return null;
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  const [namesAt, valuesAt] = valuesFirst ? [objects * VALUE_BYTES, 0] : [0, names];
  const handle = (index: number) => view.getUint32(namesAt + index * HANDLE_BYTES, true);
  return {
    handles: Array.from({ length: objects }, (_, index) => handle(index)),
    contexts: Array.from({ length: contexts }, (_, index) => handle(objects + index)),
    values: Array.from({ length: objects }, (_, index) => view.getBigUint64(valuesAt + index * VALUE_BYTES, true)),
  };
}
