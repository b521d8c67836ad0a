// A connection's rings in guest memory: how large they are, which pages they take, and each as bytes that `ring.ts` moves.
// Every byte written there is a memory delta of the guest. It must not know packets or endpoints' states.

import { PAGE_BYTES } from "../api/mod.ts";
import type { Channel } from "./ends.ts";
import type { PageAddress } from "./memory.ts";
import type { RingPages, TransportData } from "./objects.ts";
import {
  initRing,
  MAX_PACKET_BYTES,
  packetBytes,
  type Ring,
  RING_PACKET_TYPES,
  RingError,
  type RingMemory,
} from "./ring.ts";
import type { World } from "./world.ts";

/** A ring never fills, and keeps a gap: what the largest packet needs beyond itself. */
const SPARE_BYTES = 16;
/** What the description of external data takes at most: its header; a range and two pages cut by an MDL's ends; a page. */
const RANGES_BYTES = 8;
const RANGE_BYTES = 24;
const PFN_BYTES = 8;

/** Gives a connection its rings, empty, out of the guest's pages: the client's pages, enough for either end's packets. */
export function makeRings(
  world: World,
  { server, client }: { readonly server: Channel; readonly client: Channel },
): RingPages {
  const [ofServer, ofClient] = [server.data.transport, client.data.transport];
  const usual = Number(world.options["ring-pages"]);
  const rings = {
    toServer: allocate(world, { asked: ofClient.outgoingPages || usual, largest: largestPacket(ofClient, ofServer) }),
    toClient: allocate(world, { asked: ofClient.incomingPages || usual, largest: largestPacket(ofServer, null) }),
  };
  initRing(ringOver(world, rings.toServer));
  initRing(ringOver(world, rings.toClient));
  return rings;
}

/** Gives the pages back. */
export function freeRings(world: World, { toServer, toClient }: RingPages): void {
  world.memory.free("guest", [...toServer, ...toClient]);
}

/** The bytes of an end's largest packet; external data goes to a `receiver` that takes some (kmcl.md 2.2). */
function largestPacket({ maximumPacketBytes }: TransportData, receiver: TransportData | null): number {
  const inline = packetBytes({
    type: RING_PACKET_TYPES.inBand,
    ranges: [],
    payload: { length: maximumPacketBytes },
  });
  if (receiver === null) return inline;
  const { maximumExternalBytes, maximumChainLength } = receiver;
  const chain = Math.min(maximumChainLength, maximumExternalBytes);
  return inline + RANGES_BYTES + chain * RANGE_BYTES + Math.ceil(maximumExternalBytes / PAGE_BYTES) * PFN_BYTES;
}

function allocate(
  world: World,
  { asked, largest }: { readonly asked: number; readonly largest: number },
): readonly number[] {
  const dataPages = Math.max(asked, Math.ceil((Math.min(largest, MAX_PACKET_BYTES) + SPARE_BYTES) / PAGE_BYTES));
  return world.memory.allocate("guest", 1 + dataPages);
}

/** A ring over its pages. */
export function ringOver(world: World, pages: readonly number[]): Ring {
  return { dataBytes: (pages.length - 1) * PAGE_BYTES, memory: new PagesOfRing(world, pages) };
}

/** The bytes of a ring, page after page. */
class PagesOfRing implements RingMemory {
  readonly #world: World;
  readonly #pages: readonly number[];

  constructor(world: World, pages: readonly number[]) {
    this.#world = world;
    this.#pages = pages;
  }

  word(offset: number): number {
    return this.#world.memory.word(this.#at(offset));
  }

  read(offset: number, length: number): Uint8Array {
    const { memory } = this.#world;
    const at = this.#at(offset);
    if (at.offset + length <= PAGE_BYTES) return memory.read(at, length);
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const from = this.#at(offset + done);
      const part = Math.min(length - done, PAGE_BYTES - from.offset);
      bytes.set(memory.read(from, part), done);
      done += part;
    }
    return bytes;
  }

  write(offset: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const at = this.#at(offset + done);
      const part = Math.min(bytes.length - done, PAGE_BYTES - at.offset);
      const slice = part === bytes.length ? bytes : bytes.subarray(done, done + part);
      this.#world.writeMemory("guest", at.page, { offset: at.offset, bytes: slice });
      done += part;
    }
  }

  #at(offset: number): PageAddress {
    const page = this.#pages[Math.floor(offset / PAGE_BYTES)];
    if (page === undefined) {
      throw new RingError(`Cannot touch offset ${offset}: the ring has ${this.#pages.length} pages`);
    }
    return { partition: "guest", page, offset: offset % PAGE_BYTES };
  }
}
