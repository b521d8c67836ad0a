// What can be shown as a GPADL: which bytes, when, how many, and the order of refusals.

import { STATUS, statusName } from "../../src/api/mod.ts";
import { assertEquals } from "../support/assert.ts";
import { numberOf } from "./endpoints.ts";
import { piecesOf, Sharing } from "./sharing.ts";

const READ_ONLY = 0x1;
const BAD = STATUS.STATUS_INVALID_PARAMETER;

Deno.test("VmbChannelCreateGpadlFromBuffer describes the first bytes of a buffer", () => {
  const sharing = new Sharing();
  const whole = sharing.object(sharing.gpadl());
  assertEquals([whole.handle, whole.state, ...piecesOf(whole)], [0xe1e10, "live", "0 1 2 3: 100+12400"]);
  const part = sharing.object(numberOf(sharing.create(READ_ONLY, 4000).outs.GpadlHandle));
  assertEquals([part.handle, part.data.readOnly, ...piecesOf(part)], [0xe1e11, true, "0 1: 100+4000"]);
});

Deno.test("VmbChannelCreateGpadlFromBuffer refuses, in order: flags, memory, range, limit", () => {
  const sharing = new Sharing({
    "bad-flags-status": "STATUS_INVALID_PARAMETER_2",
    "refusal-status": "STATUS_ACCESS_DENIED",
    "gpadl-range-status": "STATUS_INVALID_PARAMETER_3",
    "gpadl-limit": "1",
  });
  const hosts = sharing.allocate(4096, 0, "host");
  const status = (...args: [flags?: number, byteCount?: number, buffer?: number]) =>
    statusName(sharing.create(...args).status);
  assertEquals(status(0x2, 0, hosts), "STATUS_INVALID_PARAMETER_2");
  assertEquals(status(0, 0, hosts), "STATUS_ACCESS_DENIED");
  assertEquals([status(0, 0), status(0, 12_401)], ["STATUS_INVALID_PARAMETER_3", "STATUS_INVALID_PARAMETER_3"]);
  assertEquals([status(), status(), status(0, 0)], [
    "STATUS_SUCCESS",
    "STATUS_QUOTA_EXCEEDED",
    "STATUS_INVALID_PARAMETER_3",
  ]);
  sharing.delete(0xe1e10);
  assertEquals(status(), "STATUS_SUCCESS", "the limit counts those that live");
});

Deno.test("VmbChannelCreateGpadlFromBuffer takes 8190 pages and not one more", () => {
  const sharing = new Sharing();
  const large = sharing.allocate(8191 * 4096);
  assertEquals(sharing.create(0, 8190 * 4096, large).status, 0);
  assertEquals(sharing.create(0, 8190 * 4096 + 1, large).status, BAD);
  const shifted = sharing.allocate(8190 * 4096, 1);
  assertEquals(sharing.create(0, 8190 * 4096, shifted).status, BAD, "an offset into the first page costs a page");
});

Deno.test("VmbChannelCreateGpadl is admitted from the client's Opened to its Closed", () => {
  const pair = new Sharing();
  const seen: string[] = [];
  pair.handler = ({ name, side }) => {
    const { status } = pair.create();
    seen.push(`${side} ${name.replace("EvtVmbChannel", "")} ${status === 0}`);
  };
  pair.call("client", "VmbChannelDisable", { Channel: pair.client });
  assertEquals(pair.create().status, BAD);
  pair.call("client", "VmbChannelEnable", { Channel: pair.client });
  assertEquals(seen, [
    "client Suspend true",
    "server Suspend true",
    "client Closed true",
    "server Closed false",
    "server Opened false",
    "client Opened true",
    "server Started true",
    "client Started true",
    "server PostStarted true",
    "client PostStarted true",
  ]);
});

Deno.test("VmbChannelCreateGpadl by the server fails", () => {
  const sharing = new Sharing();
  const args = { Channel: sharing.server, Buffer: sharing.buffer, ByteCount: 1 };
  assertEquals(sharing.call("server", "VmbChannelCreateGpadlFromBuffer", args).status, BAD);
});

Deno.test("VmbChannelCreateGpadlFromMdl counts through a chain as through one byte string", () => {
  const sharing = new Sharing();
  const last = sharing.mdl({ byteOffset: 8000, byteCount: 1000 });
  const first = sharing.mdl({ byteOffset: 0, byteCount: 5000, next: last });
  const described = (offset?: number, length?: number) =>
    piecesOf(sharing.object(numberOf(sharing.fromMdl(first, offset, length).outs.GpadlHandle)));
  assertEquals(described(), ["0 1: 100+5000", "1 2: 4004+1000"]);
  assertEquals(described(4000, 1100), ["1: 4+1000", "1 2: 4004+100"]);
  assertEquals(described(5000, 1), ["1: 4004+1"]);
  assertEquals(described(4999), ["1: 1003+1", "1 2: 4004+1000"]);
});

Deno.test("VmbChannelCreateGpadlFromMdl refuses what lies outside the chain, and an empty part", () => {
  const sharing = new Sharing({ "gpadl-range-status": "STATUS_INVALID_PARAMETER_3" });
  const mdl = sharing.mdl({ byteCount: 5000 });
  const bad = STATUS.STATUS_INVALID_PARAMETER_3;
  for (const [offset, length] of [[5000, 0], [5001, 0], [0, 5001], [4999, 2], [0xffff_ffff, 0xffff_ffff]] as const) {
    assertEquals(sharing.fromMdl(mdl, offset, length).status, bad, `${offset} ${length}`);
  }
  assertEquals(sharing.fromMdl(mdl, 4999, 1).status, 0);
});

Deno.test("VmbChannelCreateGpadlFromMdl adds up the description of all pieces", () => {
  const sharing = new Sharing();
  const large = sharing.allocate(8189 * 4096);
  const tail = sharing.mdl({ buffer: large, byteCount: 4096 });
  const fits = sharing.mdl({ buffer: large, byteCount: 8188 * 4096, next: tail });
  const tooLarge = sharing.mdl({ buffer: large, byteCount: 8189 * 4096, next: tail });
  assertEquals([sharing.fromMdl(fits).status, sharing.fromMdl(tooLarge).status], [0, BAD]);
});

Deno.test("VmbChannelCreateGpadlFromMdl refuses a broken chain, the host's memory and a mapping's MDL", () => {
  const sharing = new Sharing();
  const freed = sharing.mdl();
  const broken = sharing.mdl({ next: freed });
  sharing.call("guest", "FreeMdl", { Mdl: freed });
  const hosts = numberOf(sharing.call("host", "CreateMdl", { Buffer: sharing.allocate(1, 0, "host") }).value);
  const mapping = numberOf(sharing.map(sharing.gpadl()).outs.Mdl);
  assertEquals([broken, hosts, mapping].map((mdl) => sharing.fromMdl(mdl).status), [BAD, BAD, BAD]);
});
