// The VMBus messages that KMCL's calls make: which, in which order, with what in them; and none where the option is off.

import fc from "fast-check";
import { isArray, planOf, STATUS, type Value } from "../../src/api/mod.ts";
import { Engine, isSnapshot, piecesOf } from "../../src/engine/mod.ts";
import { GpadlAssembly, type GpadlRange } from "../../src/engine/gpadl_wire.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { numberOf, type Pair } from "./endpoints.ts";
import { CLOSE, Wire } from "./wire_pair.ts";

const REFUSED = STATUS.STATUS_INVALID_DEVICE_STATE;

Deno.test("without the option no message is made", () => {
  const pair = new Wire({ wire: "off" }).open();
  assertEquals(pair.gpadl(4096).status, 0);
  pair.disable("server");
  assertEquals(pair.said(), []);
});

Deno.test("an open describes the rings, asks and is answered when the server's driver has; a close tears them down", () => {
  const pair = new Wire();
  pair.call("server", "VmbChannelEnable", { Channel: pair.server });
  assertEquals(pair.said(), [
    "OFFER_CHANNEL 1 {11111111-0000-0000-0000-000000000001} {22222222-0000-0000-0000-000000000001} 0 0 0 0 false 8193",
  ]);
  pair.call("client", "VmbChannelEnable", { Channel: pair.client }, false);
  // Two rings of a control page and four data pages.
  const [header] = pair.messages;
  assertEquals(pair.said(), [
    "GPADL_HEADER 1 ring 88 1 11 words",
    "GPADL_CREATED 1 ring 0",
    "OPEN_CHANNEL 1 1 ring 0 5",
  ]);
  const rings = pair.channel(2).data.transport.rings;
  assertEquals(reassembled([header]), [
    { byteCount: 40_960, byteOffset: 0, pages: [...rings?.toServer ?? [], ...rings?.toClient ?? []] },
  ]);
  pair.step();
  assertEquals(pair.said(), ["OPEN_CHANNEL_RESULT 1 1 0"]);
  pair.drain();
  assertEquals(pair.said(), []);
  pair.disable("client", false);
  assertEquals(pair.said(), ["CLOSE_CHANNEL 1"]);
  pair.drain();
  assertEquals(pair.said(), CLOSE.slice(1));
  pair.cleanup("client");
  assertEquals(pair.said(), [], "the offer is still there, and so is its id");
  pair.disable("server");
  assertEquals(pair.said(), ["RESCIND_CHANNEL_OFFER 1", "REL_ID_RELEASED 1"]);
});

Deno.test("rings of more than 26 pages take bodies", () => {
  const pair = new Wire({ "ring-pages": "30" }).open();
  const said = pair.said().slice(1, -1);
  assertEquals(said, [
    "GPADL_HEADER 1 ring 504 1 27 words",
    "GPADL_BODY 0 ring 28 words",
    "GPADL_BODY 0 ring 8 words",
    "GPADL_CREATED 1 ring 0",
    "OPEN_CHANNEL 1 1 ring 0 31",
  ]);
});

Deno.test("a rescinded id goes back when the client's driver has done with its channel, or enables it anew", () => {
  for (const done of ["cleanup", "enable"]) {
    const pair = new Wire().open();
    pair.said();
    pair.disable("server");
    assertEquals(pair.said(), ["RESCIND_CHANNEL_OFFER 1", ...CLOSE]);
    if (done === "cleanup") pair.cleanup("client");
    else pair.call("client", "VmbChannelEnable", { Channel: pair.client });
    assertEquals(pair.said(), ["REL_ID_RELEASED 1"]);
    pair.call("server", "VmbChannelEnable", { Channel: pair.server });
    assertEquals(pair.said()[0]?.split(" ").slice(0, 2), ["OFFER_CHANNEL", "2"]);
  }
});

Deno.test("a guest that does not wait for a host that rescinded tears nothing down", () => {
  const pair = new Wire({ "rescind-delete": "returns" }).open();
  const handle = numberOf(pair.gpadl(4096).outs.GpadlHandle);
  pair.said();
  pair.disable("server");
  assertEquals(pair.said(), ["RESCIND_CHANNEL_OFFER 1", "CLOSE_CHANNEL 1"]);
  pair.delete(handle);
  assertEquals(pair.said(), []);
});

Deno.test("an open that the server's driver refuses is answered with its status and torn down, never closed", () => {
  const pair = new Wire();
  pair.handler = ({ name, side }) => side === "server" && name === "EvtVmbChannelOpened" ? REFUSED : 0;
  pair.call("server", "VmbChannelEnable", { Channel: pair.server });
  pair.messages.length = 0;
  pair.call("client", "VmbChannelEnable", { Channel: pair.client });
  assertEquals(pair.said().slice(2), [
    "OPEN_CHANNEL 1 1 ring 0 5",
    `OPEN_CHANNEL_RESULT 1 1 ${REFUSED}`,
    ...CLOSE.slice(1),
  ]);
  assertEquals(pair.engine.world.wire.links.size, 0);
});

Deno.test("an open that the client's driver refuses is closed", () => {
  const pair = new Wire();
  pair.handler = ({ name, side }) => side === "client" && name === "EvtVmbChannelOpened" ? REFUSED : 0;
  pair.call("server", "VmbChannelEnable", { Channel: pair.server });
  pair.messages.length = 0;
  pair.call("client", "VmbChannelEnable", { Channel: pair.client });
  assertEquals(pair.said().slice(3), ["OPEN_CHANNEL_RESULT 1 1 0", ...CLOSE]);
});

Deno.test("a client that closes before its open was answered says so once it is", () => {
  const pair = new Wire();
  pair.call("server", "VmbChannelEnable", { Channel: pair.server });
  pair.call("client", "VmbChannelEnable", { Channel: pair.client }, false);
  pair.messages.length = 0;
  pair.disable("client", false);
  assertEquals(pair.said(), []);
  pair.drain();
  assertEquals(pair.said(), ["OPEN_CHANNEL_RESULT 1 1 0", ...CLOSE]);
});

Deno.test("a server that rescinds before it answered an open never answers it", () => {
  const pair = new Wire();
  pair.call("server", "VmbChannelEnable", { Channel: pair.server });
  pair.call("client", "VmbChannelEnable", { Channel: pair.client }, false);
  pair.messages.length = 0;
  pair.disable("server", false);
  assertEquals(pair.said(), ["RESCIND_CHANNEL_OFFER 1", "GPADL_TEARDOWN 1 ring"]);
  pair.drain();
  assertEquals(pair.said(), ["GPADL_TORNDOWN ring"]);
});

Deno.test("a server that a failed open disables is rescinded", () => {
  const pair = new Wire({ "opened-failure": "disabled" });
  pair.handler = ({ name, side }) => side === "server" && name === "EvtVmbChannelOpened" ? REFUSED : 0;
  pair.call("server", "VmbChannelEnable", { Channel: pair.server });
  pair.messages.length = 0;
  pair.call("client", "VmbChannelEnable", { Channel: pair.client });
  const said = pair.said().slice(3);
  assertEquals(said, [
    `OPEN_CHANNEL_RESULT 1 1 ${REFUSED}`,
    "RESCIND_CHANNEL_OFFER 1",
    "GPADL_TEARDOWN 1 ring",
    "GPADL_TORNDOWN ring",
  ]);
});

Deno.test("a GPADL of 27 pages takes one body; a delete is answered when the last view is gone", () => {
  const pair = new Wire({ "mapping-limit": "many" }).open();
  pair.said();
  const handle = numberOf(pair.gpadl(27 * 4096).outs.GpadlHandle);
  assertEquals(pair.said(), [
    "GPADL_HEADER 1 gpadl#1 224 1 27 words",
    "GPADL_BODY 0 gpadl#1 1 words",
    "GPADL_CREATED 1 gpadl#1 0",
  ]);
  const args = { Channel: pair.server, GpadlHandle: handle };
  for (let view = 1; view <= 2; view += 1) pair.call("server", "VmbChannelMapGpadl", args);
  assert(pair.delete(handle).blocked);
  assertEquals(pair.said(), ["GPADL_TEARDOWN 1 gpadl#1"]);
  pair.call("server", "VmbChannelUnmapGpadl", args);
  assertEquals(pair.said(), []);
  pair.call("server", "VmbChannelUnmapGpadl", args);
  assertEquals(pair.said(), ["GPADL_TORNDOWN gpadl#1"]);
});

Deno.test("what the library refuses is never said; what the host refuses is, with its status and a handle of nothing", () => {
  const pair = new Wire({ "gpadl-limit": "1" }).open();
  const large = pair.buffer(8191 * 4096);
  pair.said();
  assertEquals([pair.gpadl(0, large).status === 0, pair.gpadl(8191 * 4096, large).status === 0], [false, false]);
  assertEquals(pair.said(), []);
  assertEquals(pair.gpadl(8190 * 4096, large).status, 0);
  const said = pair.said();
  assertEquals([said.length, said[0]], [294, "GPADL_HEADER 1 gpadl#1 65528 1 27 words"]);
  assertEquals(pair.gpadl(4096, large).status, STATUS.STATUS_QUOTA_EXCEEDED);
  assertEquals(pair.said(), [
    "GPADL_HEADER 1 ring 16 1 2 words",
    `GPADL_CREATED 1 ring ${STATUS.STATUS_QUOTA_EXCEEDED}`,
  ]);
});

Deno.test("a restored engine goes on with the messages", () => {
  const pair = new Wire().open();
  const handle = numberOf(pair.gpadl(4096).outs.GpadlHandle);
  pair.call("client", "VmbChannelDisable", { Channel: pair.client }, false);
  const snapshot = pair.engine.snapshot();
  assert(isSnapshot(structuredClone(snapshot)));
  const restored = Engine.restore(snapshot);
  assertEquals(restored.world.wire, pair.engine.world.wire);
  const plan = planOf("VmbChannelDeleteGpadl");
  for (const engine of [pair.engine, restored]) {
    const ins = engine.bind(plan, { Channel: pair.client, GpadlHandle: handle });
    engine.call({ plan, side: "client", ins, event: 100, insideCallback: 0 });
    assertEquals(engine.takeOutputs().map((output) => output.form === "message" ? output.name : output.form), [
      "GPADL_TEARDOWN",
      "GPADL_TORNDOWN",
    ]);
  }
});

/** What a host makes of a header and its bodies. */
function reassembled(messages: readonly (Pair["messages"][number] | undefined)[]): ReturnType<GpadlAssembly["ranges"]> {
  const [first, ...rest] = messages;
  const [, , rangeBytes, rangeCount, header] = first?.ins ?? [];
  assert(first?.name === "GPADL_HEADER" && typeof rangeBytes === "number" && typeof rangeCount === "number");
  const assembly = new GpadlAssembly({ rangeBytes, rangeCount, header: wordsOf(header) });
  for (const { name, ins } of rest.filter((each) => each !== undefined)) {
    assertEquals([name, assembly.isWhole], ["GPADL_BODY", false]);
    assembly.add(wordsOf(ins[2]));
  }
  assert(assembly.isWhole, "a message is missing");
  return assembly.ranges();
}

function wordsOf(value: Value | undefined): readonly bigint[] {
  assert(value !== undefined && isArray(value));
  return value.map((word) => {
    assert(typeof word === "bigint", `${String(word)} is no word`);
    return word;
  });
}

Deno.test("header and bodies of every create put together are the GPADL's ranges", () => {
  const part = fc.record({ byteCount: fc.integer({ min: 1, max: 400_000 }), byteOffset: fc.nat(4095) });
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), fc.nat(4095), (parts, startOffset) => {
      const pair = new Wire().open();
      let next: number | null = null;
      for (const { byteCount, byteOffset } of parts.toReversed()) {
        const buffer = pair.buffer(byteCount, byteOffset);
        next = numberOf(pair.call("guest", "CreateMdl", { Buffer: buffer, Next: next }).value);
      }
      const total = parts.reduce((sum, { byteCount }) => sum + byteCount, 0);
      pair.messages.length = 0;
      pair.call("client", "VmbChannelCreateGpadlFromMdl", {
        Channel: pair.client,
        Mdl: next ?? 0,
        StartOffsetWithinMdl: Math.min(startOffset, total - 1),
      });
      const gpadl = pair.engine.world.find("gpadl", 1);
      assert(gpadl !== undefined);
      const ranges = piecesOf(gpadl.data).map(({ byteCount, byteOffset, pages }): GpadlRange => ({
        byteCount,
        byteOffset,
        pages: [...pages],
      }));
      assertEquals(reassembled(pair.messages.slice(0, -1)), ranges);
      assertEquals(pair.messages.at(-1)?.name, "GPADL_CREATED");
    }),
    { numRuns: 60, seed: 4 },
  );
});

Deno.test("ids of channels are 1 to 2047: when all were given out, the lowest that is free serves again", () => {
  const pair = new Wire();
  const ids = Array.from({ length: 2049 }, () => {
    pair.call("server", "VmbChannelEnable", { Channel: pair.server });
    pair.disable("server");
    return Number(pair.said()[0]?.split(" ")[1]);
  });
  assertEquals(ids, [...Array.from({ length: 2047 }, (_, index) => index + 1), 1, 1]);
});

Deno.test("a connection's id is the channel's, the interrupt source's and the trust level's", () => {
  const pair = new Wire();
  pair.call("server", "VmbServerChannelInitSetTargetVtl", { Channel: pair.server, TargetVtl: 1 });
  pair.call("server", "VmbChannelEnable", { Channel: pair.server });
  assertEquals(pair.said()[0]?.split(" ").at(-1), String(1 + 2 * 0x1000 + 0x10000));
});
