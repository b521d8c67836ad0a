// Reads what has no size, a pipe, a device or standard input, to its end: so much at most, and no further than it looks like
// what is wanted, since it may have no end. It must not know what that is.
import { CliError, EXIT } from "./exit.ts";

/** How a stream is read. */
export interface StreamReading {
  /** As people are told of it. */
  readonly name: string;
  /** Told the first bytes, all of them where there are few; throws where reading on makes no sense. */
  readonly check?: (first: Uint8Array) => void;
  /** Bytes that are read at most. */
  readonly mostBytes?: number;
}

/** Bytes that are read of a stream at most, unless told otherwise: memory holds them twice for a moment. */
const MOST_BYTES = 512 * 2 ** 20;
/** Bytes that a check is told. */
const FIRST_BYTES = 64 * 1024;

/** All bytes of a stream. `CliError` above the limit. */
export async function readStream(
  pieces: AsyncIterable<Uint8Array>,
  { name, check, mostBytes = MOST_BYTES }: StreamReading,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let size = 0;
  let isChecked = check === undefined;
  for await (const piece of pieces) {
    parts.push(piece);
    size += piece.length;
    if (size > mostBytes) {
      const most = `${mostBytes / 2 ** 20} MB`;
      throw new CliError(
        EXIT.unreadable,
        `Name a file instead: ${name} has more than the ${most} that are read of a stream.`,
      );
    }
    if (isChecked || size < FIRST_BYTES) continue;
    check?.(joined(parts, size).subarray(0, FIRST_BYTES));
    isChecked = true;
  }
  return joined(parts, size);
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let position = 0;
  for (const part of parts) {
    bytes.set(part, position);
    position += part.length;
  }
  return bytes;
}
