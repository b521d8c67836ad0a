// The tables of DxgKrnl events: against written payloads, against the published field lists, against a real log.

import {
  decodeDxgkrnl,
  DXGKRNL_EVENTS,
  DXGKRNL_PROVIDER,
  type DxgkrnlPayload,
  type DxgkrnlRecord,
  dxgkrnlSizeInBytes,
  splitField,
} from "../../src/import/dxgkrnl_schema.ts";
import { readEtlFile } from "../../src/import/etl_file.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { dxgkrnlPayload, writeEtl } from "../support/etl_writer.ts";
import { sampleBytes } from "../support/shared_sample.ts";

const VERSIONS = Object.entries(DXGKRNL_EVENTS).flatMap(([id, { name, versions }]) =>
  Object.entries(versions).map(([version, fields]) => ({ id: Number(id), version: Number(version), name, fields }))
);

/** A value for each field that differs from its neighbours' and fills the field's top byte. */
function distinctValues(fields: typeof VERSIONS[number]["fields"], pointerSize: 4 | 8): Record<string, bigint> {
  return Object.fromEntries(fields.map((field, index) => {
    const { name, type } = splitField(field);
    const bytes = type === "u16" ? 2 : type === "u64" || (type === "ptr" && pointerSize === 8) ? 8 : 4;
    return [name, (0xf0n << BigInt(8 * bytes - 8)) + BigInt(index + 1)];
  }));
}

function payloadOf(id: number, version: number, payload: Uint8Array): DxgkrnlPayload {
  return { provider: DXGKRNL_PROVIDER, id, version, pointerSize: 8, payload };
}

/** A number as the text sample writes it: decimal, 0x hexadecimal, True or False. */
function numberOf(text: string): bigint {
  return text === "True" ? 1n : text === "False" ? 0n : BigInt(text);
}

/** The record of an event that must decode. */
function recordOf(event: DxgkrnlPayload): DxgkrnlRecord {
  const decoded = decodeDxgkrnl(event);
  if (decoded?.kind === "record") return decoded;
  throw new Error(`event ${event.id}.${event.version} is not decoded: ${decoded?.message}`);
}

Deno.test("decodeDxgkrnl() gives back every field of every version, through a log, in 32 and 64 bits", () => {
  for (const pointerSize of [4, 8] as const) {
    const events = VERSIONS.map(({ id, version, fields }, index) => {
      return { id, version, timestamp: BigInt(index), pointerSize, fields: distinctValues(fields, pointerSize) };
    });
    const { events: read, notes } = readEtlFile(writeEtl(events, { pointerSize: 4 }));
    assertEquals(notes, []);
    assertEquals(read.length, VERSIONS.length);
    for (const [index, event] of read.entries()) {
      const { name, fields } = recordOf(event);
      assertEquals(name, VERSIONS[index]?.name);
      assertEquals(fields, events[index]?.fields);
    }
  }
});

Deno.test("decodeDxgkrnl() tells an unknown version, a short payload and bytes left over as data", () => {
  for (const { id, version, name, fields } of VERSIONS) {
    const payload = dxgkrnlPayload({ id, version }, 8);
    assertEquals(payload.length, dxgkrnlSizeInBytes(fields, 8));
    for (let length = 0; length < payload.length; length++) {
      assertEquals(decodeDxgkrnl(payloadOf(id, version, payload.subarray(0, length)))?.kind, "short-payload");
    }
    const long = decodeDxgkrnl(payloadOf(id, version, new Uint8Array(payload.length + 1)));
    assertEquals(long, {
      kind: "bytes-left-over",
      name,
      message: `Skipped ${name} (event ${id} version ${version}): its payload has ${payload.length + 1} bytes where ` +
        `${payload.length} are wanted`,
    });
    assertEquals(decodeDxgkrnl(payloadOf(id, 200, payload))?.kind, "unknown-version");
  }
  const unknown = decodeDxgkrnl(payloadOf(33, 5, new Uint8Array(0)));
  assert(unknown?.kind === "unknown-version");
  assertEquals(
    unknown.message,
    "Skipped AdapterAllocationStart (event 33): version 5 is not known, only 1, 2, 3, 4",
  );
});

Deno.test("decodeDxgkrnl() leaves unknown ids and other providers alone", () => {
  assertEquals(decodeDxgkrnl(payloadOf(340, 0, new Uint8Array(8))), undefined);
  const foreign = { ...payloadOf(39, 0, new Uint8Array(8)), provider: "11111111-2222-3333-4444-555555555555" };
  assertEquals(decodeDxgkrnl(foreign), undefined);
});

Deno.test("DXGKRNL_EVENTS has the sizes that 64-bit Windows writes", () => {
  const sizes = (id: number) =>
    Object.values(DXGKRNL_EVENTS[id]?.versions ?? {}).map((fields) => dxgkrnlSizeInBytes(fields, 8));
  assertEquals(sizes(33), [140, 142, 146, 154]);
  assertEquals(sizes(36), [96, 100]);
  assertEquals(sizes(331), [28, 28]);
  assertEquals(sizes(334), [44, 76]);
  assertEquals(sizes(435), [76]);
});

const SCHEMAS = sampleBytes("etw-dxgkrnl-gpuva-schemas-by-windows-version.tsv");
const MANIFEST_TYPES: Readonly<Record<string, string>> = {
  Pointer: "ptr",
  UInt16: "u16",
  UInt32: "u32",
  UInt64: "u64",
  Boolean: "bool32",
};

Deno.test({
  name: "DXGKRNL_EVENTS agrees with the field lists of every Windows version (shared sample)",
  ignore: SCHEMAS === undefined,
  fn() {
    const seen = new Set<string>();
    for (const line of new TextDecoder().decode(SCHEMAS).split("\n")) {
      const [id = "", version = "", signature = ""] = line.split("\t");
      const match = /^(\w+)\((.*)\)$/.exec(signature);
      const table = DXGKRNL_EVENTS[Number(id)];
      if (match === null || table === undefined) continue;
      const [, name = "", list = ""] = match;
      const wanted = list.split(", ").map((field) => {
        const [type = "", fieldName = ""] = field.split(" ");
        return `${fieldName}:${MANIFEST_TYPES[type]}`;
      });
      assertEquals([...table.versions[Number(version)] ?? []].map(String), wanted, `event ${id} version ${version}`);
      // Before 1803, event 334 had no opcode, and so no "Start".
      const plain = name.replace(/_V\d+$/, "").replace(/Mapping$/, "MappingStart");
      assertEquals(table.name, plain);
      seen.add(`${id}.${version}`);
    }
    const tables = VERSIONS.map(({ id, version }) => `${id}.${version}`);
    assertEquals(tables.filter((each) => !seen.has(each)), ["40.0"]);
  },
});

const LOG = sampleBytes("dxgkrnl-gpuva-win10-1803.etl");
const DECODED = sampleBytes("dxgkrnl-etw-gpuva.txt");

Deno.test({
  name: "decodeDxgkrnl() leaves no byte over in all 1,644 events of a real log (shared sample)",
  ignore: LOG === undefined,
  fn() {
    const { events } = readEtlFile(LOG ?? new Uint8Array(0));
    const decoded = events.map((event) => decodeDxgkrnl(event)?.kind);
    assertEquals(decoded.filter((kind) => kind === "record").length, 1644);
  },
});

Deno.test({
  name: "decodeDxgkrnl() agrees with the independent decoding of a real log, line by line (shared sample)",
  ignore: LOG === undefined || DECODED === undefined,
  fn() {
    const { events, header } = readEtlFile(LOG ?? new Uint8Array(0));
    const kept = events.filter((event) => event.id !== 309 && event.id !== 310);
    // The excerpt does not hold the one Lock event that the text shows.
    const lines = new TextDecoder().decode(DECODED).split("\n")
      .filter((line) => /^\d/.test(line) && !line.includes(" 340.0 "));
    assertEquals([lines.length, kept.length], [1151, 1151]);
    const first = kept[0]?.timestamp ?? 0n;
    for (const [index, event] of kept.entries()) {
      const [time, cpu, pid, tid, idVersion, name, ...pairs] = (lines[index] ?? "").split(" ");
      const { name: ourName, fields } = recordOf(event);
      const us = Number((event.timestamp - first) * 1_000_000_000n / header.ticksPerSecond) / 1000;
      assert(Math.abs(us - Number(time)) < 0.002, `line ${index}: ${us} is not ${time} us`);
      assertEquals([event.cpu, event.pid, event.tid].join(" "), [cpu, pid, tid].join(" "));
      assertEquals(`${event.id}.${event.version}`, idVersion);
      assertEquals(ourName, name?.replace(/_V\d+$/, ""));
      const wanted = pairs.map((pair) => pair.split("=")).map(([field = "", value = ""]) => [field, numberOf(value)]);
      assertEquals(fields, Object.fromEntries(wanted), `line ${index}`);
    }
  },
});
