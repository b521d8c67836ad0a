// Writes lines as strace 6.10 does where an ioctl's argument is dumped: for tests, as no public log of that form is known.

import { DXG_IOCTLS, DXG_STRUCTS } from "../../src/api/mod.ts";
import { type Layout, layout, type LayoutRecord } from "../../src/wire/mod.ts";

const STRUCTS: ReadonlyMap<string, Layout> = new Map(Object.entries(DXG_STRUCTS));
const HANDLE = layout(4, "0 handle u32");

/** The line that says which file is /dev/dxg. */
export const OPEN_DXG = 'openat(AT_FDCWD, "/dev/dxg", O_RDONLY|O_CLOEXEC) = 3';

/** An ioctl's line: its structure before, what of it is another afterwards, and the result as strace prints it. */
export function ioctlLine(
  name: string,
  before: LayoutRecord,
  { after, result = "0", file = "3" }: {
    readonly after?: LayoutRecord;
    readonly result?: string;
    readonly file?: string;
  } = {},
): string {
  const ioctl = DXG_IOCTLS.find((each) => each.name === name);
  if (ioctl === undefined) throw new RangeError(`Cannot write an ioctl: there is no ${name}`);
  const struct = STRUCTS.get(name) ?? HANDLE;
  const command = `_IOC(_IOC_READ|_IOC_WRITE, 0x47, 0x${ioctl.nr.toString(16)}, 0x${ioctl.bytes.toString(16)})`;
  const back = after === undefined ? "" : ` => ${dump(struct.encode({ ...before, ...after }))}`;
  return `ioctl(${file}, ${command}, ${dump(struct.encode(before))}${back}) = ${result}`;
}

/** Bytes as strace's `-x` strings. */
export function dump(bytes: Uint8Array): string {
  return `"${[...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}"`;
}
