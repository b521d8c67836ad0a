// A guest is saved at a random moment and its server's channel is restored by another one: whatever was under way, each packet of
// either end arrives once and each transaction ends once, and GPADLs go on.

import { STATUS, statusName } from "../../src/api/mod.ts";
import { Random } from "../../src/driver/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { numberOf } from "./endpoints.ts";
import { type Arrived, type End, Packets, WAIT } from "./packets.ts";

const SEEDS = 60;
const STEPS = 40;
/** What of a small ring a packet takes at most. */
const LARGEST_BYTES = 1400;

/** Two ends at random work; the server's channel may be replaced by one that is restored from it. */
class Story extends Packets {
  readonly random: Random;
  readonly uncompleted: Arrived[] = [];
  readonly gpadls: number[] = [];
  readonly sent: Record<End, number> = { client: 0, server: 0 };
  /** The server's channel that is there now. */
  current: number;

  constructor(seed: number) {
    super({ "ring-pages": "1", "maximum-packet-size": String(LARGEST_BYTES), "queued-on-close": "cancel" });
    this.random = new Random(seed);
    this.current = this.server;
    const inner = this.handler;
    this.handler = (callback) => {
      if (callback.name !== "EvtVmbChannelRestorePacket") return inner(callback);
      const [, bytes] = this.engine.world.running.find(({ event }) => event === callback.event)?.ins ?? [];
      assert(bytes instanceof Uint8Array);
      const args = { PacketObject: this.packetAt("server"), Buffer: bytes, BufferSize: bytes.length };
      this.must("server", "VmbPacketRestore", args);
    };
    this.onArrival = (packet) => void this.uncompleted.push(packet);
    this.register();
    this.open();
  }

  /** A call that must succeed. */
  must(...call: Parameters<Story["call"]>): ReturnType<Story["call"]> {
    const answer = this.call(...call);
    const isRight = answer.status === STATUS.STATUS_SUCCESS || (answer.status === -1 && answer.refused === null);
    assert(isRight && !answer.blocked, `${call[1]}: ${answer.refused ?? statusName(answer.status)}`);
    return answer;
  }

  register(): void {
    const args = { Channel: this.current, SavePacketCallback: true, RestorePacketCallback: true };
    this.must("server", "VmbServerChannelInitSetSaveRestorePacketCallbacks", args);
  }

  packetAt(end: End): number {
    const Channel = end === "server" ? this.current : this.client;
    const packet = numberOf(this.call(end, "VmbPacketAllocate", { Channel }).value);
    this.must(end, "VmbPacketSetCompletionRoutine", { PacketObject: packet, CompletionRoutine: true });
    return packet;
  }

  /** Its first byte tells which it is. */
  sendAt(end: End): void {
    this.sent[end] += 1;
    const bytes = new Uint8Array(8 + this.random.below(LARGEST_BYTES - 8));
    bytes[0] = this.sent[end];
    const args = { PacketObject: this.packetAt(end), Buffer: bytes, BufferLength: bytes.length, Flags: WAIT };
    this.must(end, "VmbPacketSend", args);
  }

  completeOne(end: End): void {
    const index = this.uncompleted.findIndex((each) => each.end === end);
    const [packet] = index < 0 ? [] : this.uncompleted.splice(index, 1);
    if (packet !== undefined) {
      this.must(end, "VmbChannelPacketComplete", { PacketCompletionContext: packet.completion });
    }
  }

  work(): void {
    const end = this.random.pick<End>(["client", "server"]);
    const deed = this.random.pick(["send", "complete", "complete", "share"]);
    if (deed === "send" && this.sent[end] < 200) this.sendAt(end);
    else if (deed === "share") this.share();
    else this.completeOne(end);
  }

  /** A GPADL is made, or one is mapped and unmapped. */
  share(): void {
    const [gpadl] = this.gpadls;
    if (gpadl !== undefined && this.random.below(2) === 0) return this.mapAndUnmap(gpadl);
    const buffer = numberOf(this.call("guest", "AllocateBuffer", { ByteCount: 4096 }).value);
    const args = { Channel: this.client, Buffer: buffer, ByteCount: 4096 };
    this.gpadls.push(numberOf(this.must("client", "VmbChannelCreateGpadlFromBuffer", args).outs.GpadlHandle));
  }

  mapAndUnmap(GpadlHandle: number): void {
    this.must("server", "VmbChannelMapGpadl", { Channel: this.current, GpadlHandle });
    this.must("server", "VmbChannelUnmapGpadl", { Channel: this.current, GpadlHandle });
  }

  /** The guest stands still; the server's channel is saved, goes, and comes back as another one. */
  saveAndRestore(): void {
    const isGuestPaused = this.random.below(2) === 0;
    if (isGuestPaused) this.pauseGuest();
    this.completeAll("server");
    if (this.random.below(2) === 0) {
      this.must("server", "VmbChannelPause", { Channel: this.current });
      for (let more = this.random.below(6); more > 0; more -= 1) this.sendAt("client");
    }
    this.must("machine", "SaveVm");
    this.pauseAndComplete();
    const image = this.saved();
    this.must("server", "VmbChannelDisable", { Channel: this.current });
    this.must("server", "VmbChannelCleanup", { Channel: this.current });
    this.current = numberOf(this.must("server", "VmbChannelAllocate", { IsServer: true }).outs.Channel);
    this.register();
    const args = { Channel: this.current, Buffer: image, BufferSize: image.length };
    this.must("server", "VmbChannelRestoreFromBuffer", args);
    this.must("server", "VmbChannelEnable", { Channel: this.current });
    if (this.random.below(2) === 0) this.must("server", "VmbChannelStart", { Channel: this.current });
    this.must("machine", "RestoreVm");
    this.must("server", "VmbChannelStart", { Channel: this.current });
    if (isGuestPaused) this.must("client", "VmbChannelStart", { Channel: this.client });
  }

  /** It takes nothing more: its ring fills, and completions wait for room behind what the server sends. */
  pauseGuest(): void {
    this.completeAll("client");
    this.call("client", "VmbChannelPause", { Channel: this.client });
    this.completeAll("client");
    for (let more = 4 + this.random.below(8); more > 0; more -= 1) this.sendAt("server");
  }

  completeAll(end: End): void {
    while (this.uncompleted.some((each) => each.end === end)) this.completeOne(end);
  }

  /** What arrives while a Pause is asked for must be completed before it returns. */
  pauseAndComplete(): void {
    this.call("server", "VmbChannelPause", { Channel: this.current });
    this.completeAll("server");
  }

  saved(): Uint8Array {
    this.must("server", "VmbChannelSaveBegin", { Channel: this.current });
    const { outs } = this.must("server", "VmbChannelSaveContinue", { Channel: this.current, SaveBufferSize: 1 << 22 });
    this.must("server", "VmbChannelSaveEnd", { Channel: this.current });
    const { SaveBuffer } = outs;
    assert(SaveBuffer instanceof Uint8Array);
    return SaveBuffer;
  }
}

/** Routines by how they ended. */
function endings(story: Story): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const line of story.ended) {
    const [, status = ""] = line.split(" ");
    counts[status] = (counts[status] ?? 0) + 1;
  }
  return counts;
}

Deno.test("a server that is saved and restored under a guest loses nothing and does nothing twice", () => {
  let restored = 0;
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const story = new Story(seed);
    for (let round = 0; round < 3; round += 1) {
      for (let step = 0; step < STEPS; step += 1) story.work();
      story.saveAndRestore();
    }
    while (story.uncompleted.length > 0) {
      story.completeOne("client");
      story.completeOne("server");
    }
    const { sent } = story;
    for (const [end, from] of [["server", "client"], ["client", "server"]] as const) {
      assertEquals(story.firsts(end), Array.from({ length: sent[from] }, (_, index) => index + 1), `seed ${seed}`);
    }
    const { STATUS_SUCCESS = 0, STATUS_DEVICE_REMOVED = 0, STATUS_CANCELLED = 0, ...others } = endings(story);
    // Packet objects of a channel that was saved end with it; those that were restored end as if nothing had been.
    assertEquals([STATUS_SUCCESS, others], [sent.client + sent.server, {}], `seed ${seed}`);
    restored += STATUS_DEVICE_REMOVED + STATUS_CANCELLED;
    for (const gpadl of story.gpadls) story.mapAndUnmap(gpadl);
    const { world } = story.engine;
    assertEquals([world.pending.length, world.parked.length], [0, 0], `seed ${seed}`);
    for (const channel of world.all("channel")) assertEquals(channel.data.transport.awaiting.size, 0, `seed ${seed}`);
  }
  assert(restored > SEEDS, `${restored} packets were under way`);
});
