// Two endpoints whose VMBus messages are looked at, each as one line of text.

import { isArray, isRef, type Value } from "../../src/api/mod.ts";
import { numberOf, Pair } from "./endpoints.ts";

/** A message as its name and its values: words only counted, ring GPADLs as `ring`. */
function textOf({ name, ins }: Pair["messages"][number]): string {
  return [name, ...ins.map(valueText)].join(" ");
}

function valueText(value: Value): string {
  if (isArray(value)) return `${value.length} words`;
  if (isRef(value)) return `gpadl#${value.number}`;
  return typeof value === "number" && value >= 0x8000_0000 && value < 0x8000_1000 ? "ring" : String(value);
}

/** Two endpoints whose messages are looked at. */
export class Wire extends Pair {
  constructor(options: Readonly<Record<string, string>> = {}) {
    super({ wire: "on", ...options });
  }

  /** The messages since the last time. */
  said(): string[] {
    return this.messages.splice(0).map(textOf);
  }

  disable(side: "client" | "server", drain = true) {
    return this.call(side, "VmbChannelDisable", { Channel: side === "client" ? this.client : this.server }, drain);
  }

  cleanup(side: "client" | "server") {
    return this.call(side, "VmbChannelCleanup", { Channel: side === "client" ? this.client : this.server });
  }

  buffer(byteCount: number, byteOffset = 0): number {
    return numberOf(this.call("guest", "AllocateBuffer", { ByteCount: byteCount, ByteOffset: byteOffset }).value);
  }

  gpadl(byteCount: number, buffer = this.buffer(byteCount)) {
    const args = { Channel: this.client, Buffer: buffer, ByteCount: byteCount };
    return this.call("client", "VmbChannelCreateGpadlFromBuffer", args);
  }

  delete(handle: number) {
    return this.call("client", "VmbChannelDeleteGpadl", { Channel: this.client, GpadlHandle: handle });
  }
}

/** What the first client of a pair says when it closes, and what it is answered. */
export const CLOSE = ["CLOSE_CHANNEL 1", "GPADL_TEARDOWN 1 ring", "GPADL_TORNDOWN ring"];
