// Finds the real samples that some machines have beside the project, for tests that say loudly when they are absent.

/** The bytes of a shared sample; `undefined`, with a line on the console, where it is absent. */
export function sampleBytes(name: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Deno.readFileSync(new URL(`../../../shared/samples/${name}`, import.meta.url));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log(`SKIPPED: ../shared/samples/${name} is absent`);
    return undefined;
  }
}
