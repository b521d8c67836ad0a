// From queue to ring to peer and back: order, room, closing, and ring memory that makes no sense.

import fc from "fast-check";
import { assert, assertEquals, assertNotEquals } from "../support/assert.ts";
import { Engine, isSnapshot } from "../../src/engine/mod.ts";
import { type End, Packets, WAIT } from "./packets.ts";

const SMALL = { "ring-pages": "1", "maximum-packet-size": "1500", "maximum-external-data": "4096" };

Deno.test("a packet moves from allocated to sent to completed, and its bytes come padded to a multiple of 8", () => {
  const pair = new Packets().open();
  const packet = pair.packet("client");
  assertEquals(pair.stateOf(packet), "allocated");
  pair.send(packet, [1, 2, 3], { flags: WAIT });
  assertEquals([pair.stateOf(packet), pair.last().first, pair.last().length], ["sent", 1, 8]);
  pair.complete(pair.last().completion, "server", [7]);
  assertEquals([pair.stateOf(packet), pair.ended], ["completed", ["packet#1 STATUS_SUCCESS 0700000000000000"]]);
});

Deno.test("every byte of a ring is guest memory: packets and indexes are deltas", () => {
  const pair = new Packets().open();
  pair.deltas.length = 0;
  pair.send(pair.packet("client"), [0xab], { drain: false });
  assertEquals(
    pair.deltas.map((delta) => delta.slice(0, 52)),
    [
      "guest 0x101+0 06000200030000000100000000000000ab0000000000",
      "guest 0x100+0 20000000",
      "guest 0x100+4 20000000",
    ].map((delta) => delta.slice(0, 52)),
  );
});

Deno.test("a ring's pages are the guest's from open until both ends are down, then they are given out again", () => {
  const pair = new Packets().open();
  const { rings } = pair.channel(2).data.transport;
  assertEquals([rings?.toServer, rings?.toClient], [[0x100, 0x101, 0x102, 0x103, 0x104], [
    0x105,
    0x106,
    0x107,
    0x108,
    0x109,
  ]]);
  const request = pair.request([1]);
  pair.call("client", "VmbChannelDisable", { Channel: pair.client });
  assertEquals(pair.states(), "closing/active, disabled/paused");
  assertEquals(pair.engine.world.memory.allocate("guest", 1), [0x10a]);
  pair.complete(pair.last().completion);
  assertEquals([pair.states(), pair.stateOf(request)], ["closed/active, disabled/paused", "completed"]);
  assertEquals(pair.engine.world.memory.allocate("guest", 2), [0x100, 0x101]);
});

Deno.test("rings are as large as asked for, and as the largest packet with external data needs", () => {
  const sizes = (setUp: (pair: Packets) => void) => {
    const pair = new Packets({ "ring-pages": "1" });
    setUp(pair);
    const { rings } = pair.open().channel(1).data.transport;
    return [(rings?.toServer.length ?? 0) - 1, (rings?.toClient.length ?? 0) - 1];
  };
  assertEquals(sizes(() => {}), [2, 2]);
  const pages = { IncomingPageCount: 7, OutgoingPageCount: 5 };
  assertEquals(
    sizes((pair) =>
      pair.call("client", "VmbClientChannelInitSetRingBufferPageCount", { Channel: pair.client, ...pages })
    ),
    [5, 7],
  );
  const most = (end: End, PacketSize: number) => (pair: Packets) =>
    pair.call(end, "VmbChannelInitSetMaximumPacketSize", { Channel: pair.channelOf(end), PacketSize });
  assertEquals(sizes(most("server", 10_000)), [2, 3]);
  assertEquals(sizes(most("client", 10_000)), [4, 2]);
  assertEquals(sizes(most("client", 0xffff_ffff)), [129, 2], "16 bits say how long a packet is");
});

Deno.test("packets that do not fit wait, and go out in order when there is room", () => {
  const pair = new Packets(SMALL).open();
  pair.on("server", "VmbChannelPause");
  const packets = Array.from({ length: 5 }, (_, index) => {
    const packet = pair.packet("client");
    pair.send(packet, Array.from({ length: 1500 }, () => index));
    return packet;
  });
  assertEquals(packets.map((packet) => pair.stateOf(packet)), ["completed", "completed", "queued", "queued", "queued"]);
  pair.on("server", "VmbChannelStart");
  assertEquals([pair.firsts(), pair.batches], [[0, 1, 2, 3, 4], ["server 5"]]);
});

Deno.test("completions wait for room too, and nobody's transaction is lost", () => {
  const pair = new Packets(SMALL).open();
  pair.on("client", "VmbChannelPause");
  for (let index = 0; index < 3; index += 1) pair.send(pair.packet("server"), 1000, { end: "server" });
  pair.on("client", "VmbChannelStart");
  const requests = [pair.request([1]), pair.request([2])];
  pair.on("client", "VmbChannelPause");
  assertEquals(pair.firsts("client").length, 3);
  const waiting = pair.arrived.filter(({ end }) => end === "server");
  for (const { completion } of waiting) pair.complete(completion, "server", Array.from({ length: 2500 }, () => 9));
  for (const each of pair.arrived.filter(({ end }) => end === "client")) pair.complete(each.completion, "client");
  pair.on("client", "VmbChannelStart");
  assertEquals(requests.map((packet) => pair.stateOf(packet)), ["completed", "completed"]);
});

Deno.test("ring memory that makes no sense stops the end that reads it, until the next open", () => {
  const pair = new Packets().open();
  const { world } = pair.engine;
  world.writeMemory("guest", 0x100, { offset: 0, bytes: Uint8Array.of(3) });
  assertEquals(pair.send(pair.packet("client"), [1]).status, 0);
  assertEquals([pair.arrived.length, pair.channel(2).data.transport.isBroken], [0, true]);
  pair.call("client", "VmbChannelDisable", { Channel: pair.client });
  pair.call("client", "VmbChannelEnable", { Channel: pair.client });
  assertEquals(pair.firsts(), [1], "what was queued goes out");
});

Deno.test("numbers beyond 53 bits in a ring are nonsense", () => {
  const pair = new Packets().open();
  pair.on("server", "VmbChannelPause");
  pair.send(pair.packet("client"), [1]);
  pair.engine.world.writeMemory("guest", 0x101, { offset: 8, bytes: new Uint8Array(8).fill(0xff) });
  pair.on("server", "VmbChannelStart");
  assertEquals([pair.arrived.length, pair.channel(1).data.transport.isBroken], [0, true]);
});

Deno.test("a snapshot holds packets in rings, in queues and with the driver, and goes on alike", () => {
  const pair = new Packets(SMALL).open();
  pair.request([1]);
  pair.on("server", "VmbChannelPause");
  for (let index = 2; index < 6; index += 1) pair.request(Array.from({ length: 1500 }, () => index));
  const request = { Channel: pair.client, Buffer: Uint8Array.of(9), BufferSize: 1, Flags: WAIT };
  pair.call("client", "VmbChannelSendSynchronousRequest", request, false);
  pair.call("machine", "SetIrql", { Side: "server", Irql: 1 });
  const snapshot = pair.engine.snapshot();
  assert(isSnapshot(snapshot) && snapshot.parked.length === 2);
  const other = Engine.restore(structuredClone(snapshot));
  assertEquals(other.snapshot(), snapshot);
  const play = (engine: Engine): unknown[] => {
    const seen: unknown[] = [];
    engine.world.irqls.clear();
    for (let event = 1000; engine.deliverable().length > 0; event += 2) {
      const [next] = engine.deliverable();
      seen.push(next);
      engine.deliver(next?.id ?? 0, event);
      engine.finish(event, { event: event + 1, outcome: { form: "void" } });
      seen.push(engine.takeOutputs());
    }
    return seen;
  };
  const seen = play(pair.engine);
  assertEquals(play(other), seen);
  assertEquals(other.snapshot(), pair.engine.snapshot());
  assertNotEquals(other.snapshot(), snapshot);
});

/** What a random driver does next. */
type Action =
  | { readonly form: "send"; readonly end: End; readonly length: number; readonly waits: boolean }
  | { readonly form: "complete"; readonly end: End; readonly choice: number; readonly length: number }
  | { readonly form: "run" | "pause" | "start"; readonly end: End };

const END = fc.constantFrom<End>("client", "server");
const ACTION: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      form: fc.constant("send"),
      end: END,
      length: fc.integer({ min: 0, max: 1500 }),
      waits: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ form: fc.constant("complete"), end: END, choice: fc.nat(), length: fc.nat(1500) }),
  },
  { weight: 3, arbitrary: fc.record({ form: fc.constant("run"), end: END }) },
  { weight: 1, arbitrary: fc.record({ form: fc.constantFrom("pause", "start"), end: END }) },
);

/** A driver that numbers what it sends, and completes what it got when it is told to. */
class Traffic extends Packets {
  readonly sent: Record<End, number[]> = { client: [], server: [] };
  readonly #open: Record<End, number[]> = { client: [], server: [] };
  readonly #numbers = new Map<number, number>();

  constructor() {
    super(SMALL);
    this.onArrival = ({ end, completion }) => this.#open[end].push(completion);
    this.open();
  }

  act(action: Action): void {
    const { form, end } = action;
    if (form === "send") return this.#send(action);
    if (form === "complete") return this.#complete(end, action.choice, action.length);
    if (form === "run") {
      const [next] = this.engine.deliverable();
      if (next !== undefined) this.deliver(next.id);
    } else if (form === "start" || this.#open[end].length === 0) {
      this.call(end, form === "start" ? "VmbChannelStart" : "VmbChannelPause", { Channel: this.channelOf(end) }, false);
    }
  }

  /** Runs and completes everything that is left. */
  finish(): void {
    for (const end of ["client", "server"] as const) this.on(end, "VmbChannelStart");
    for (let rounds = 0; rounds < 1000; rounds += 1) {
      this.drain();
      for (const end of ["client", "server"] as const) {
        while (this.#open[end].length > 0) this.#complete(end, 0, 0);
        this.on(end, "VmbChannelStart");
      }
      if (this.engine.deliverable().length === 0) return;
    }
  }

  #send({ end, length, waits }: { readonly end: End; readonly length: number; readonly waits: boolean }): void {
    const packet = this.packet(end);
    const number = this.sent[end].length % 251;
    this.sent[end].push(number);
    this.#numbers.set(packet, number);
    const { status } = this.send(packet, Array.from({ length: 1 + length % 1499 }, () => number), {
      end,
      flags: waits ? WAIT : 0,
      drain: false,
    });
    assertEquals(status, 0);
  }

  #complete(end: End, choice: number, length: number): void {
    const open = this.#open[end];
    const [completion] = open.splice(choice % Math.max(1, open.length), 1);
    if (completion === undefined) return;
    const args = {
      PacketCompletionContext: completion,
      PacketCompletionBuffer: new Uint8Array(length),
      BufSize: length,
    };
    assertEquals(this.call(end, "VmbChannelPacketComplete", args, false).refused, null);
  }
}

Deno.test("random traffic through small rings arrives once, in order, and every transaction ends once", () => {
  fc.assert(
    fc.property(fc.array(ACTION, { maxLength: 60 }), (actions) => {
      const traffic = new Traffic();
      for (const action of actions) traffic.act(action);
      traffic.finish();
      assertEquals(traffic.firsts("server"), traffic.sent.client);
      assertEquals(traffic.firsts("client"), traffic.sent.server);
      const total = traffic.sent.client.length + traffic.sent.server.length;
      const ended = traffic.ended.map((line) => line.split(" ").slice(0, 2).join(" ")).toSorted();
      assertEquals(ended, Array.from({ length: total }, (_, index) => `packet#${index + 1} STATUS_SUCCESS`).toSorted());
      for (const number of [1, 2]) {
        const { transport } = traffic.channel(number).data;
        assertEquals([transport.queue, transport.responses, [...transport.awaiting], [...transport.outstanding]], [
          [],
          [],
          [],
          [],
        ]);
      }
    }),
    { seed: 4, numRuns: 60 },
  );
});
