// Call sites: where in the program a call was made, relative to the program's folder, or nothing.

import { assertEquals } from "../support/assert.ts";
import type { Program } from "../../src/driver/mod.ts";
import { runEvents } from "./run.ts";

const FOLDER = new URL("./", import.meta.url).href;
const ALL = { wants: () => true, folder: FOLDER };

async function allocate({ guest }: Parameters<Program>[0]): Promise<void> {
  await guest.AllocateBuffer({ ByteCount: 1 });
  await guest.AllocateBuffer({ ByteCount: 2 });
}

/** The lines of this file that say `text`, from 1. */
function linesOf(text: string): number[] {
  const lines = Deno.readTextFileSync(new URL(import.meta.url)).split("\n");
  return lines.flatMap((each, index) => each.trim() === text ? [index + 1] : []);
}

Deno.test("a call's site is its file below the folder, its line and its function, also after an await", async () => {
  const { events } = await runEvents(allocate, { sites: ALL });
  assertEquals(events.map(({ site }) => [site?.file, site?.line, site?.column, site?.function]), [
    ["call_site_test.ts", linesOf("await guest.AllocateBuffer({ ByteCount: 1 });")[0], 15, "allocate"],
    ["call_site_test.ts", linesOf("await guest.AllocateBuffer({ ByteCount: 2 });")[0], 15, "allocate"],
  ]);
});

Deno.test("a function without a name has none, whatever V8 makes up", async () => {
  const { events } = await runEvents(async (context) => {
    await context.guest.AllocateBuffer({ ByteCount: 3 });
    await context.spawn("thread", async ({ guest }) => void await guest.AllocateBuffer({ ByteCount: 4 }));
  }, { sites: ALL });
  assertEquals(events.map(({ site }) => site?.function), ["", ""]);
});

Deno.test("a method is named with its class", async () => {
  class Driver {
    async start({ guest }: Parameters<Program>[0]): Promise<void> {
      await guest.AllocateBuffer({ ByteCount: 5 });
    }
  }
  const { events } = await runEvents((context) => new Driver().start(context), { sites: ALL });
  assertEquals(events.map(({ site }) => site?.function), ["Driver.start"]);
});

Deno.test("a file outside the folder is its last two parts", async () => {
  const sites = { wants: () => true, folder: "file:///elsewhere/" };
  const { events } = await runEvents(allocate, { sites });
  assertEquals(events[0]?.site?.file, "driver/call_site_test.ts");
});

Deno.test("only the calls that are wanted have a site", async () => {
  const program: Program = async ({ guest, machine }) => {
    await guest.AllocateBuffer({ ByteCount: 1 });
    await machine.AdvanceTime({ Nanoseconds: 1 });
  };
  const sited = async (wants: typeof ALL.wants | ((plan: { readonly creates: boolean }) => boolean)) =>
    (await runEvents(program, { sites: { wants, folder: FOLDER } })).events.map(({ site }) => site !== null);
  assertEquals(await sited(() => true), [true, true]);
  assertEquals(await sited(({ creates }) => creates), [true, false]);
  assertEquals(await sited(() => false), [false, false]);
});
