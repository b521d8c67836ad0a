// Rewrites the goldens: the sample traces, their dumps and audits. A trace that says the same already is left as it is,
// so that a new zstd version changes no file.

import { contentOf, GOLDEN_FOLDER, makeGoldens, textsOf, TRACES_FOLDER } from "../tests/support/golden.ts";

for (const golden of await makeGoldens()) {
  const file = new URL(`${golden.name}.msgpack`, TRACES_FOLDER);
  const kept = await Deno.readFile(file).catch(() => null);
  if (kept === null || safeContent(kept) !== contentOf(golden.bytes)) await write(file, golden.bytes);
  for (const [name, text] of textsOf(golden)) {
    const url = new URL(name, GOLDEN_FOLDER);
    if (await Deno.readTextFile(url).catch(() => "") !== text) await write(url, new TextEncoder().encode(text));
  }
}

/** A golden of an older, unreadable form is rewritten like one that differs. */
function safeContent(bytes: Uint8Array): string {
  try {
    return contentOf(bytes);
  } catch {
    return "";
  }
}

async function write(url: URL, bytes: Uint8Array): Promise<void> {
  await Deno.writeFile(url, bytes);
  console.log(`wrote ${url.pathname.split("/").slice(-2).join("/")}`);
}
