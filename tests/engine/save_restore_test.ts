// Saving a channel and restoring it in another run: what comes back, what does not, and that damaged bytes are refused.

import fc from "fast-check";
import { STATUS } from "../../src/api/mod.ts";
import { Engine } from "../../src/engine/mod.ts";
import { isSnapshot } from "../../src/engine/snapshot.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { numberOf } from "./endpoints.ts";
import { type End, Packets, WAIT } from "./packets.ts";

const { STATUS_SUCCESS, STATUS_BUFFER_TOO_SMALL, STATUS_BUFFER_OVERFLOW, STATUS_MORE_PROCESSING_REQUIRED } = STATUS;

function bytesOf(value: unknown): Uint8Array {
  assert(value instanceof Uint8Array);
  return value;
}

/** Endpoints whose server's driver saves a few bytes of its own for each packet, by the packet's handle. */
class Savers extends Packets {
  readonly own = new Map<number, Uint8Array>();
  /** Packets that were restored, in order. */
  readonly restored: number[] = [];

  constructor(options: Readonly<Record<string, string>> = {}) {
    super(options);
    const inner = this.handler;
    this.handler = (callback) => {
      const ins = this.engine.world.running.find(({ event }) => event === callback.event)?.ins ?? [];
      if (callback.name === "EvtVmbChannelSavePacket") return this.#save(ins);
      if (callback.name === "EvtVmbChannelRestorePacket") return this.#restore(callback.channel, ins);
      return inner(callback);
    };
    this.register(this.server);
  }

  register(channel: number): void {
    const args = { Channel: channel, SavePacketCallback: true, RestorePacketCallback: true };
    assertEquals(this.call("server", "VmbServerChannelInitSetSaveRestorePacketCallbacks", args).status, STATUS_SUCCESS);
  }

  begin(channel = this.server): number {
    return this.call("server", "VmbChannelSaveBegin", { Channel: channel }).status;
  }

  saveStep(sizeBytes?: number, channel = this.server) {
    const { status, outs } = this.call("server", "VmbChannelSaveContinue", {
      Channel: channel,
      SaveBufferSize: sizeBytes ?? 1 << 20,
    });
    return {
      status,
      bytes: bytesOf(outs.SaveBuffer ?? new Uint8Array(0)),
      required: numberOf(outs.BytesRequired ?? 0),
    };
  }

  /** A whole save, in steps of so many bytes, more where a chunk needs more. */
  save(sizeBytes = 1 << 20, channel = this.server): Uint8Array[] {
    assertEquals(this.begin(channel), STATUS_SUCCESS);
    const pieces: Uint8Array[] = [];
    for (let size = sizeBytes;;) {
      const { status, bytes, required } = this.saveStep(size, channel);
      if (status === STATUS_BUFFER_TOO_SMALL) {
        assert(required > size && bytes.length === 0);
        size = required;
        continue;
      }
      assert(bytes.length <= size);
      pieces.push(bytes);
      if (status === STATUS_SUCCESS) break;
      assertEquals(status, STATUS_BUFFER_OVERFLOW);
      size = sizeBytes;
    }
    this.call("server", "VmbChannelSaveEnd", { Channel: channel });
    return pieces;
  }

  restore(bytes: Uint8Array, channel = this.server): number {
    const args = { Channel: channel, Buffer: bytes, BufferSize: bytes.length };
    return this.call("server", "VmbChannelRestoreFromBuffer", args).status;
  }

  #save([, packet, size]: readonly unknown[]) {
    assert(typeof packet === "object" && packet !== null && "handle" in packet && typeof packet.handle === "number");
    const SaveBuf = this.own.get(packet.handle) ?? new Uint8Array(0);
    const BytesNeeded = SaveBuf.length;
    const status = Number(size) < BytesNeeded ? STATUS_BUFFER_TOO_SMALL : STATUS_SUCCESS;
    return { status, BytesNeeded, SaveBuf: status === STATUS_SUCCESS ? SaveBuf : new Uint8Array(0) };
  }

  #restore(number: number, [, context, , own]: readonly unknown[]): number {
    const { handle } = this.channel(number);
    const packet = numberOf(this.call("server", "VmbPacketAllocate", { Channel: handle }).value);
    this.call("server", "VmbPacketSetCompletionRoutine", { PacketObject: packet, CompletionRoutine: true });
    this.own.set(packet, bytesOf(own));
    this.restored.push(packet);
    const Buffer = bytesOf(context);
    return this.call("server", "VmbPacketRestore", { PacketObject: packet, Buffer, BufferSize: Buffer.length }).status;
  }
}

/** What a server sends before it is saved. */
interface Use {
  readonly waits: boolean;
  readonly isLate: boolean;
  readonly payload: Uint8Array;
  readonly own: Uint8Array;
}

/** An open pair whose server has packets in use and is paused. */
function inUse(uses: readonly Use[]): Savers {
  const pair = new Savers();
  pair.open();
  const late = uses.filter(({ isLate }) => isLate);
  for (const use of uses) if (!use.isLate) send(pair, use);
  pair.call("server", "VmbChannelPause", { Channel: pair.server });
  for (const use of late) send(pair, use);
  return pair;
}

function send(pair: Savers, { waits, payload, own }: Use): void {
  const packet = pair.packet("server");
  pair.own.set(packet, own);
  pair.send(packet, [...payload], { end: "server" satisfies End, flags: waits ? WAIT : 0 });
}

function whole(pieces: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(pieces.flatMap((piece) => [...piece]));
}

const USE = fc.record({
  waits: fc.boolean(),
  isLate: fc.boolean(),
  payload: fc.uint8Array({ maxLength: 40 }),
  own: fc.uint8Array({ maxLength: 20 }),
});
const SOME: readonly Use[] = [
  { waits: true, isLate: false, payload: Uint8Array.of(1), own: Uint8Array.of(11) },
  { waits: true, isLate: false, payload: Uint8Array.of(2), own: new Uint8Array(0) },
  { waits: false, isLate: true, payload: Uint8Array.of(3), own: Uint8Array.of(33, 34) },
];

Deno.test("save, restore in another run, save again: the same bytes, whatever the pieces", () => {
  fc.assert(
    fc.property(fc.array(USE, { maxLength: 6 }), fc.nat(200), fc.nat(200), (uses, size, otherSize) => {
      const pieces = inUse(uses).save(size);
      const other = new Savers();
      for (const [index, piece] of pieces.entries()) {
        const isLast = index === pieces.length - 1;
        assertEquals(other.restore(piece), isLast ? STATUS_SUCCESS : STATUS_MORE_PROCESSING_REQUIRED);
      }
      assertEquals(whole(other.save(otherSize)), whole(pieces));
    }),
    { seed: 6, numRuns: 60 },
  );
});

Deno.test("a restored channel sends what was in flight and what was queued, in their order", () => {
  const image = whole(inUse(SOME).save());
  const other = new Savers();
  assertEquals(other.restore(image), STATUS_SUCCESS);
  assertEquals(other.restored.map((packet) => other.stateOf(packet)), ["sent", "sent", "queued"]);
  assertEquals(other.restored.map((packet) => [...other.own.get(packet) ?? []]), [[11], [], [33, 34]]);
  other.open();
  assertEquals(other.firsts("client"), [1, 2, 3]);
  for (const { completion } of other.arrived) other.complete(completion, "client", [7]);
  assertEquals(other.ended.map((line) => line.replace(/^packet#\d+ /, "")), [
    "STATUS_SUCCESS",
    "STATUS_SUCCESS 0700000000000000",
    "STATUS_SUCCESS 0700000000000000",
  ]);
});

Deno.test("a restored channel's next packet has a transaction of its own", () => {
  const other = new Savers();
  other.restore(whole(inUse(SOME).save()));
  other.open();
  send(other, { waits: true, isLate: false, payload: Uint8Array.of(4), own: new Uint8Array(0) });
  assertEquals(other.firsts("client"), [1, 2, 3, 4]);
  const { awaiting } = other.channel(1).data.transport;
  assertEquals([...awaiting.keys()], [1, 2, 4]);
});

Deno.test("no prefix of an image restores a channel, and none but those at a chunk's end is taken", () => {
  const pair = inUse(SOME);
  const ends = new Set<number>();
  let at = 0;
  for (const { length } of pair.save(0)) ends.add(at += length);
  const image = whole(pair.save());
  assertEquals(image.length, at);
  for (let length = 0; length < image.length; length += 1) {
    const other = new Savers();
    const status = other.restore(image.slice(0, length));
    assertEquals(status, ends.has(length) ? STATUS_MORE_PROCESSING_REQUIRED : STATUS.STATUS_INVALID_PARAMETER);
    if (!ends.has(length)) assertEquals([other.restored, other.channel(1).data.restore], [[], null]);
  }
});

Deno.test("an image with a bit changed is refused, and nothing of it is restored", () => {
  const image = whole(inUse(SOME).save());
  const other = new Savers();
  for (let bit = 0; bit < image.length * 8; bit += 1) {
    const damaged = image.slice();
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assertEquals(other.restore(damaged), STATUS.STATUS_INVALID_PARAMETER);
  }
  assertEquals(other.restore(image), STATUS_SUCCESS);
});

Deno.test("a save and a restore that are under way are part of a snapshot", () => {
  const pair = inUse(SOME);
  pair.begin();
  const args = { Channel: pair.server, SaveBufferSize: 1 << 20 };
  assert(pair.call("server", "VmbChannelSaveContinue", args, false).blocked);
  const snapshot = pair.engine.snapshot();
  assert(isSnapshot(snapshot));
  assertEquals(Engine.restore(snapshot).snapshot(), snapshot);
  const other = new Savers();
  const image = whole(inUse(SOME).save());
  const restoring = { Channel: other.server, Buffer: image, BufferSize: image.length };
  assert(other.call("server", "VmbChannelRestoreFromBuffer", restoring, false).blocked);
  const half = other.engine.snapshot();
  assert(isSnapshot(half));
  assertEquals(Engine.restore(half).snapshot(), half);
});

Deno.test("a saved channel can go on: its packets complete as if nothing had been", () => {
  const pair = inUse(SOME);
  pair.save();
  pair.call("server", "VmbChannelStart", { Channel: pair.server });
  for (const { completion } of pair.arrived) pair.complete(completion, "client");
  assertEquals(pair.ended.length, 3);
  assertEquals(pair.ended.every((line) => line.includes("STATUS_SUCCESS")), true);
});
