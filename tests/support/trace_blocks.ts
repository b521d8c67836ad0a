// Where the blocks of a whole trace start, by the format's own description and not by the reader's code.

/** Offsets of all blocks: the header says its size at byte 38, each block its body's at byte 59 of its own. */
export function blockStarts(trace: Uint8Array): number[] {
  const view = new DataView(trace.buffer, trace.byteOffset, trace.byteLength);
  const starts: number[] = [];
  for (let position = view.getUint32(38); position < trace.length; position += 63 + view.getUint32(position + 59)) {
    starts.push(position);
  }
  return starts;
}
