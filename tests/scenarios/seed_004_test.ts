// Every sentence of seed 004, the page of D3DKMTMapGpuVirtualAddress, has a scenario that cites it in its first line:
// `# Seed 004, remarks 5 and 6: …`, a section of the page and the numbers of sentences in it.

import { assert, assertEquals } from "../support/assert.ts";

/** The page's sentences by section, in our words; a list of return codes has a sentence for each row. */
const SENTENCES: Readonly<Record<string, readonly string[]>> = {
  "description": ["maps a range of addresses to a range of an allocation, or makes it Invalid or Zero"],
  "parameters": ["one structure, in and out, describes the operation"],
  "return value": ["STATUS_SUCCESS", "STATUS_INVALID_PARAMETER after validation", "other statuses"],
  "remarks": [
    "a base is given, or picked by the memory manager",
    "with a base, the entire range is free or of one range that Map or the kernel driver's reserve call obtained",
    "Zero and NoAccess: not over a range that Map obtained",
    "write and execute on request, read always",
    "LDA: the paging queue says whose page tables, the allocation where entries point",
    "LDA: the allocation is in any physical GPU's segment",
    "the range is freed with its allocation",
    "the range can be freed by Free, synchronized with the allocation's destruction",
  ],
  "see also": ["DxgkCbReserveGpuVirtualAddressRange"],
};

const FOLDER = new URL("gpu/", import.meta.url);
const CITATION = /^# Seed 004, ([^:]+): \S/;

/** `remarks 5`, one for each sentence that a first line cites: `remarks 5 and 6`, `return value 1 to 3`. */
function citedBy(line: string): string[] {
  let section = "";
  const cited: string[] = [];
  for (const part of (CITATION.exec(line)?.[1] ?? "").split(" and ")) {
    const [, name = "", first = "", last = first] = /^(\D*?) ?(\d+)(?: to (\d+))?$/.exec(part) ?? [];
    assert(first !== "", `not a section and numbers of sentences: ${line}`);
    section = name === "" ? section : name;
    for (let number = Number(first); number <= Number(last); number++) cited.push(`${section} ${number}`);
  }
  return cited;
}

const SCENARIOS = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => name.startsWith("seed-004"));
const texts = SCENARIOS.sort().map((file) => ({ file, text: Deno.readTextFileSync(new URL(file, FOLDER)) }));

Deno.test("every sentence of seed 004 has a scenario that cites it, and every citation is of a sentence", () => {
  const wanted = Object.entries(SENTENCES).flatMap(([section, list]) => list.map((_, at) => `${section} ${at + 1}`));
  const cited = new Set(texts.flatMap(({ text }) => citedBy(text.split("\n")[0] ?? "")));
  assertEquals([...cited].sort(), wanted.sort());
});

Deno.test("what cites seed 004 says so in its first line, and maps", () => {
  assert(texts.length > 0);
  for (const { file, text } of texts) {
    assert(CITATION.test(text), file);
    assert(/^[a-z#0-9-]+ D3DKMTMapGpuVirtualAddress\(/m.test(text), file);
  }
});

Deno.test("citations are read with ranges and with several sections", () => {
  assertEquals(citedBy("# Seed 004, return value 1 to 3: x"), ["return value 1", "return value 2", "return value 3"]);
  assertEquals(citedBy("# Seed 004, remarks 5 and 6: x"), ["remarks 5", "remarks 6"]);
  assertEquals(citedBy("# Seed 004, remarks 2 and see also 1: x"), ["remarks 2", "see also 1"]);
});
