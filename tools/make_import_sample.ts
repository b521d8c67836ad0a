// Writes the small event log that tests/support/capture_story.ts tells, to try and to show the import of one.
// It must not know what is in it. Usage: deno run --allow-write tools/make_import_sample.ts FILE.etl

import { captureStory } from "../tests/support/capture_story.ts";

const [path, ...more] = Deno.args;
if (path === undefined || more.length > 0) {
  console.error("Name one file to write: deno run --allow-write tools/make_import_sample.ts FILE.etl");
  Deno.exit(2);
}
try {
  Deno.writeFileSync(path, captureStory(), { createNew: true });
} catch (error) {
  if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  console.error(`Cannot write ${path}: it exists; name another file, or remove it first`);
  Deno.exit(2);
}
