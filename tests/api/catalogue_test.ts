// The catalogue against the documents that it was made from: every function, callback and structure has its declaration.

import { CATALOGUE, KMCL, KMCL_CALLBACKS, OBJECTS, STRUCTS } from "../../src/api/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";

const HEADER_PAGE = new URL("../../../shared/seeds/003_b6bb8124495c90b2.txt", import.meta.url);

async function headerPage(): Promise<string | null> {
  try {
    return await Deno.readTextFile(HEADER_PAGE);
  } catch {
    console.log("SKIPPED: the header's page is absent (../shared/seeds)");
    return null;
  }
}

/** The functions that the header's page misses and that have pages of their own. */
const MISSED = ["VmbChannelGetMmioSpace", "VmbChannelSetInterruptLatency", "VmbServerChannelInitSetTargetVtl"];

const page = await headerPage();

Deno.test({
  name: "every function of the header's page is declared, and no other but the three that it misses",
  ignore: page === null,
  fn() {
    const listed = [...(page ?? "").matchAll(/\[(\w+) function\]/g)].map(([, name]) => name ?? "");
    assertEquals(listed.length, 53);
    assertEquals(Object.keys(KMCL).toSorted(), [...listed, ...MISSED].toSorted());
  },
});

Deno.test({
  name: "every callback of the header's page is declared, under its prototype's name",
  ignore: page === null,
  fn() {
    const listed = [...(page ?? "").matchAll(/\[EVT_VMB_(\w+) callback\]/g)].map(([, name]) =>
      (name ?? "").replaceAll("_", "").toLowerCase()
    );
    const declared = Object.keys(KMCL_CALLBACKS).map((name) => name.replace(/^EvtVmb|^Evt/, "").toLowerCase());
    assertEquals(listed.length, 11);
    assertEquals(declared.toSorted(), listed.toSorted());
  },
});

Deno.test("the structure of the header's page is declared", () => {
  assertEquals(Object.keys(STRUCTS.VMB_CHANNEL_STATE_CHANGE_CALLBACKS.members).slice(0, 3), [
    "Version",
    "Size",
    "EvtChannelOpened",
  ]);
});

Deno.test("ids are unique over calls, callbacks and observed events", () => {
  const ids = CATALOGUE.map(({ id }) => id);
  assertEquals(new Set(ids).size, ids.length);
});

Deno.test("every kind of object that can be created can end, and is owned by kinds that exist", () => {
  const verbs = (kind: string) =>
    CATALOGUE.flatMap(({ effects }) => effects).filter(({ param }) => param.kind === kind).map(({ verb }) => verb);
  for (const [kind, { owners }] of Object.entries(OBJECTS)) {
    for (const owner of owners) assert(Object.hasOwn(OBJECTS, owner), `${kind} is owned by ${owner}`);
    if (verbs(kind).includes("create")) {
      assert(verbs(kind).includes("destroy") || owners.length > 0, `${kind} never ends`);
    }
  }
});
