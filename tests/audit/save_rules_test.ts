// Rules of save and restore (S), of interrupt levels that only a library can break (I-03), and statuses of saves (L-10).
// Traces are another system's, made by hand: each rule fires, and not where it is just missed.
import type { Outcome } from "../../src/api/mod.ts";
import { assertEquals } from "../support/assert.ts";
import { returned } from "../support/events.ts";
import { PacketStory, ref, status } from "./packet_story.ts";

/** A server's save, call by call. */
class SaveStory extends PacketStory {
  constructor() {
    super({ maker: "other" });
  }

  begin(outcome: Outcome = status()): number {
    return this.list.call("server", "VmbChannelSaveBegin", { Channel: this.server }, { outcome });
  }

  proceed(outcome: Outcome = status(), bytes = Uint8Array.of(1, 2, 3, 4)): number {
    const outs = { SaveBuffer: bytes, BytesFilled: bytes.length, BytesRequired: 0 };
    return this.list.call("server", "VmbChannelSaveContinue", { Channel: this.server }, { outcome, outs });
  }

  end(): number {
    return this.list.call("server", "VmbChannelSaveEnd", { Channel: this.server });
  }

  restore(bytes: Uint8Array, outcome: Outcome = status()): number {
    const args = { Channel: this.server, Buffer: bytes, BufferSize: bytes.length };
    return this.list.call("server", "VmbChannelRestoreFromBuffer", args, { outcome });
  }

  start(): number {
    return this.list.call("server", "VmbChannelEnable", { Channel: this.server });
  }
}

Deno.test("S nothing in a save that is continued to its success and ended, and restored as it was written", () => {
  const story = new SaveStory();
  story.begin();
  story.proceed(status("STATUS_BUFFER_OVERFLOW"));
  story.proceed();
  story.end();
  story.restore(Uint8Array.of(1, 2, 3, 4), status("STATUS_MORE_PROCESSING_REQUIRED"));
  story.restore(Uint8Array.of(1, 2, 3, 4));
  story.start();
  assertEquals(story.found(), []);
});

Deno.test("S-01 a save inside a save; one after the other is none", () => {
  const story = new SaveStory();
  story.begin();
  const nested = story.begin(status("STATUS_UNSUCCESSFUL"));
  story.proceed();
  story.end();
  story.begin();
  story.proceed();
  story.end();
  assertEquals(story.found(), [`S-01 @${nested}`]);
});

Deno.test("S-02 a save that is never ended, and one whose begin failed, which is none", () => {
  const story = new SaveStory();
  const begun = story.begin();
  story.proceed();
  assertEquals(story.found(), [`S-02 @${begun}`]);
  const failed = new SaveStory();
  failed.begin(status("STATUS_UNSUCCESSFUL"));
  assertEquals(failed.found(), []);
});

Deno.test("S-02 a channel that is cleaned up with its save open", () => {
  const story = new SaveStory();
  const begun = story.begin();
  story.list.call("server", "VmbChannelCleanup", { Channel: story.server });
  assertEquals(story.found(), [`S-02 @${begun}`]);
});

Deno.test("S-03 a save is continued that was not begun, or was ended", () => {
  const story = new SaveStory();
  const early = story.proceed(status("STATUS_UNSUCCESSFUL"));
  story.begin();
  story.proceed();
  story.end();
  const late = story.proceed(status("STATUS_UNSUCCESSFUL"));
  assertEquals(story.found(), [`S-03 @${early}`, `S-03 @${late}`]);
});

Deno.test("S-04 something is left when a save is ended; after a hard failure the end is right", () => {
  const ended = (outcome: Outcome | null) => {
    const story = new SaveStory();
    story.begin();
    if (outcome !== null) story.proceed(outcome);
    const end = story.end();
    return story.found().map((line) => line === `S-04 @${end}`);
  };
  assertEquals(ended(null), [true]);
  assertEquals(ended(status("STATUS_BUFFER_OVERFLOW")), [true]);
  assertEquals(ended(status("STATUS_BUFFER_TOO_SMALL")), [true]);
  assertEquals(ended(status("STATUS_NO_MEMORY")), []);
  assertEquals(ended(status()), []);
});

Deno.test("S-05 a packet is restored outside its callback, or after it was used; a fresh one inside is right", () => {
  const story = new SaveStory();
  const packet = (number: number) =>
    story.list.call("server", "VmbPacketAllocate", { Channel: story.server }, {
      outcome: returned(ref("packet", number)),
    });
  const restore = (number: number, cause: number) =>
    story.list.call("server", "VmbPacketRestore", { PacketObject: ref("packet", number) }, { cause });
  packet(1);
  const outside = restore(1, 0);
  const callback = story.list.callback("server", "EvtVmbChannelRestorePacket", { Channel: story.server });
  packet(2);
  restore(2, callback);
  const again = restore(2, callback);
  story.list.return(callback);
  assertEquals(story.found(), [`S-05 @${outside}`, `S-05 @${again}`]);
});

Deno.test("S-06 part of what a save wrote; whole pieces that fail, and bytes that nobody saved, are none", () => {
  const failing = (...bytes: number[]) => {
    const story = new SaveStory();
    story.begin();
    story.proceed(status("STATUS_BUFFER_OVERFLOW"));
    story.proceed(status(), Uint8Array.of(5, 6));
    story.end();
    const restore = story.restore(Uint8Array.from(bytes), status("STATUS_INVALID_PARAMETER"));
    return story.found().map((line) => line === `S-06 @${restore}`);
  };
  assertEquals(failing(1, 2), [true]);
  assertEquals(failing(3, 4), [true]);
  assertEquals(failing(1, 2, 3, 4, 5), [true]);
  assertEquals(failing(1, 2, 3, 4), []);
  assertEquals(failing(1, 2, 3, 4, 5, 6), []);
  assertEquals(failing(9, 9), []);
});

Deno.test("S-07 STATUS_MORE_PROCESSING_REQUIRED is no end, and no failure", () => {
  const story = new SaveStory();
  story.restore(Uint8Array.of(1), status("STATUS_MORE_PROCESSING_REQUIRED"));
  const enabled = story.start();
  assertEquals(story.found(), [`S-07 @${enabled}`]);
  const left = new SaveStory();
  const restored = left.restore(Uint8Array.of(1), status("STATUS_MORE_PROCESSING_REQUIRED"));
  assertEquals(left.found(), [`S-07 @${restored}`]);
});

Deno.test("L-10 a failed begin, and a failed restore, that the next step takes for a success", () => {
  const begun = new SaveStory();
  begun.begin(status("STATUS_UNSUCCESSFUL"));
  const end = begun.end();
  assertEquals(begun.found(), [`L-10 @${end}`]);
  const restored = new SaveStory();
  restored.restore(Uint8Array.of(1), status("STATUS_UNSUCCESSFUL"));
  const enabled = restored.start();
  assertEquals(restored.found(), [`L-10 @${enabled}`]);
});

Deno.test("L-10 another try says that the status was looked at", () => {
  const story = new SaveStory();
  story.begin(status("STATUS_UNSUCCESSFUL"));
  story.begin();
  story.proceed();
  story.end();
  assertEquals(story.found(), []);
});

Deno.test("I-03 a delivery above PASSIVE_LEVEL where that was forbidden, or after a defer", () => {
  const story = new PacketStory().open().allocate(1).allocate(2).send(1).send(2);
  const irql = (Irql: number) => story.list.call("machine", "SetIrql", { Side: "server", Irql });
  irql(2);
  story.deliver(1, (cause) => story.onDelivered("VmbChannelPacketDeferToPassive", 1, { cause }));
  story.deliver(1);
  const again = story.last - 1;
  irql(0);
  story.list.call("server", "VmbChannelSetIncomingProcessingAtPassive", {
    Channel: story.server,
    RequirePassive: true,
  });
  irql(2);
  story.deliver(2);
  const required = story.last - 1;
  irql(0);
  for (const number of [1, 2]) story.onDelivered("VmbChannelPacketComplete", number);
  assertEquals(story.found(), [`I-03 @${again}`, `I-03 @${required}`]);
});
