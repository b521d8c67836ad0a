// An open channel over which memory is shown, for tests of GPADLs.

import { type EngineObject, piecesOf as pieces, stateMatches } from "../../src/engine/mod.ts";
import { assert } from "../support/assert.ts";
import type { Answer } from "../support/model.ts";
import { numberOf, Pair } from "./endpoints.ts";

/** The guest's first page after those of the channel's two rings: a control page and 4 data pages each. */
const FIRST_BUFFER_PAGE = 0x100 + 10;

/** An open pair with a buffer of the guest's: 3 pages and a bit, from byte 100 of the first. */
export class Sharing extends Pair {
  readonly buffer: number;

  constructor(options: Readonly<Record<string, string>> = {}) {
    super(options);
    this.open();
    this.buffer = this.allocate(12_400, 100);
  }

  allocate(byteCount: number, byteOffset = 0, side = "guest"): number {
    return numberOf(this.call(side, "AllocateBuffer", { ByteCount: byteCount, ByteOffset: byteOffset }).value);
  }

  create(flags = 0, byteCount = 12_400, buffer = this.buffer): Answer {
    const args = { Channel: this.client, Flags: flags, Buffer: buffer, ByteCount: byteCount };
    return this.call("client", "VmbChannelCreateGpadlFromBuffer", args, false);
  }

  /** Creates one and gives its handle. */
  gpadl(flags = 0): number {
    return numberOf(this.create(flags).outs.GpadlHandle);
  }

  map(gpadl: number, flags = 0, drain = true): Answer {
    return this.call("server", "VmbChannelMapGpadl", { Channel: this.server, Flags: flags, GpadlHandle: gpadl }, drain);
  }

  unmap(gpadl: number): Answer {
    return this.call("server", "VmbChannelUnmapGpadl", { Channel: this.server, GpadlHandle: gpadl }, false);
  }

  delete(gpadl: number): Answer {
    return this.call("client", "VmbChannelDeleteGpadl", { Channel: this.client, GpadlHandle: gpadl }, false);
  }

  /** The state that `expect state` would see. */
  stateOf(handle: number): string {
    const ref = this.engine.world.tableOf("gpadl").refOf(handle);
    assert(ref !== undefined, `no gpadl has or had ${handle}`);
    return stateMatches(this.engine.world, { ...ref, state: "none" }) ?? "";
  }

  object(handle: number): EngineObject<"gpadl"> {
    const object = this.engine.world.resolve("gpadl", handle);
    assert(object !== undefined && isGpadl(object));
    return object;
  }

  mdl(options: { byteOffset?: number; byteCount?: number; next?: number; buffer?: number } = {}): number {
    const { byteOffset = 0, byteCount = 0, next = 0, buffer = this.buffer } = options;
    const args = { Buffer: buffer, ByteOffset: byteOffset, ByteCount: byteCount, Next: next };
    return numberOf(this.call("guest", "CreateMdl", args).value);
  }

  fromMdl(mdl: number, offset = 0, length = 0): Answer {
    return this.call("client", "VmbChannelCreateGpadlFromMdl", {
      Channel: this.client,
      Mdl: mdl,
      StartOffsetWithinMdl: offset,
      DataLengthWithinMdl: length,
    });
  }
}

function isGpadl(object: EngineObject): object is EngineObject<"gpadl"> {
  return object.kind === "gpadl";
}

/** Pieces as `first page offset byteOffset+byteCount`, pages counted from the buffer's first. */
export function piecesOf(gpadl: EngineObject<"gpadl">): string[] {
  return pieces(gpadl.data).map(({ pages, byteOffset, byteCount }) =>
    `${pages.map((page) => page - FIRST_BUFFER_PAGE).join(" ")}: ${byteOffset}+${byteCount}`
  );
}
