// Small files that tests of the command line read: a trace, and raw event logs in several states of health.
import { SMALL_EVENTS, SMALL_OPTIONS, writeEtl } from "../support/etl_writer.ts";
import { Place } from "./place.ts";

/** Two channels, a buffer and the time: a trace without findings above a note. */
export const SMALL_CALLS = `client VmbChannelAllocate() -> STATUS_SUCCESS {Channel=$c}
client VmbChannelInitSetFriendlyName(Channel=$c, Name="net0")
guest AllocateBuffer(ByteCount=8192) -> $b
guest FreeBuffer(Buffer=$b)
machine AdvanceTime(Nanoseconds=5)
client VmbChannelCleanup(Channel=$c)
`;

/** The trace of it. */
export const SMALL_TRACE: Uint8Array<ArrayBuffer> = await recorded(SMALL_CALLS);

/** The trace of a scenario. */
export async function recorded(calls: string): Promise<Uint8Array<ArrayBuffer>> {
  const place = new Place();
  try {
    const { code, bytes, err } = await place.run("record - -o - --wall-clock off", { stdin: calls });
    if (code !== 0) throw new Error(`Cannot record the sample: ${err}`);
    return bytes;
  } finally {
    Deno.removeSync(place.folder, { recursive: true });
  }
}

/** Raw event logs. */
export const EtlFile = {
  /** In order. */
  whole(): Uint8Array<ArrayBuffer> {
    return writeEtl(SMALL_EVENTS, SMALL_OPTIONS);
  },
  /** Its first buffer says that it is compressed. */
  compressed(): Uint8Array<ArrayBuffer> {
    const bytes = writeEtl(SMALL_EVENTS, SMALL_OPTIONS);
    new DataView(bytes.buffer).setUint32(0x2c, 5, true);
    return bytes;
  },
};
