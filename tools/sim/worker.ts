// A thread that simulates the seeds it is given, one at a time, and says what each came to. It prints nothing.

import { worldNamed } from "./worlds.ts";

/** What a thread is asked. */
export interface SeedOrder {
  readonly world: string;
  readonly seed: number;
  readonly steps: number;
}

/** What it answers. */
export interface SeedReport {
  readonly world: string;
  readonly seed: number;
  readonly events: number;
  /** What does not hold, empty: all does. */
  readonly trouble: string;
}

/** The part of a thread's own scope that is used; types of threads and of the main program do not go together. */
interface ThreadScope {
  addEventListener(type: "message", listener: (event: { readonly data: SeedOrder }) => void): void;
  postMessage(report: SeedReport): void;
}

/** What a seed comes to, in a line. */
export async function reportOf({ world, seed, steps }: SeedOrder): Promise<SeedReport> {
  const { result: { events, failed } } = await worldNamed(world).run({ seed, steps });
  const trouble = failed === null ? "" : `${failed.trouble.check}: ${failed.trouble.message.split("\n")[0]}`;
  return { world, seed, events, trouble };
}

function isThread(scope: unknown): scope is ThreadScope {
  return typeof scope === "object" && scope !== null && "postMessage" in scope;
}

const scope: unknown = globalThis;
if (isThread(scope)) scope.addEventListener("message", async ({ data }) => scope.postMessage(await reportOf(data)));
