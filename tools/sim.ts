// Simulates both endpoints at random from the declarations, checks invariants after every step, replays and audits what was
// recorded. Exit code 1 if a seed fails: it is printed with its step, what does not hold, and its calls as a scenario.
// Usage: deno task sim [--seed N] [--steps N] [--seeds N] [--seen]

import { dumpLines } from "../src/view/mod.ts";
import { type FailedSeed, runSeed, type SeedResult, shorten } from "./sim/run.ts";
import { headerFor } from "./sim/simulation.ts";
import type { SeedOrder, SeedReport } from "./sim/worker.ts";

/** Runs that making a failing one shorter may take. */
const ATTEMPTS = 800;
/** Calls of a failing run that are printed, the last ones. */
const LINES = 400;

/** The number behind an option; where it is not there, `usual`. */
function numberOf(name: string, usual: number): number {
  const at = Deno.args.indexOf(`--${name}`);
  if (at < 0) return usual;
  const number = Number(Deno.args[at + 1] ?? NaN);
  if (Number.isSafeInteger(number) && number >= 1 && number < 2 ** 32) return number;
  throw new RangeError(`Give --${name} a whole number from 1 to 2^32-1, not ${Deno.args[at + 1]}`);
}

function printFailure(failed: FailedSeed): void {
  const { seed, trouble, steps, options } = failed;
  console.log(`\nFAILED seed ${seed} at step ${steps.length}: ${trouble.check}\n  ${trouble.message}`);
  const short = shorten(failed, ATTEMPTS);
  console.log(`Shortened to ${short.steps.length} steps: ${short.trouble.message}\n`);
  const lines = [...dumpLines({ header: headerFor(options), events: short.events })];
  for (const line of lines.filter((each) => !each.trimStart().startsWith("#")).slice(-LINES)) console.log(line);
}

/** How often each call did what it is for, and how often not: whether a simulation still reaches everything. */
function printSeen({ seen }: SeedResult): void {
  for (const [name, { well, badly }] of [...seen].toSorted()) console.log(`  ${name}: ${well} well, ${badly} not`);
}

function one(seed: number, steps: number): SeedReport {
  const result = runSeed(seed, steps);
  if (Deno.args.includes("--seen")) printSeen(result);
  if (result.failed !== null) printFailure(result.failed);
  return { seed, events: result.events, trouble: result.failed?.trouble.check ?? "" };
}

/** Shares the seeds among as many threads as there are processors. */
async function many(seeds: readonly number[], steps: number): Promise<readonly SeedReport[]> {
  const waiting = [...seeds];
  const reports: SeedReport[] = [];
  const threads = Array.from({ length: Math.min(navigator.hardwareConcurrency, seeds.length) }, async () => {
    const thread = new Worker(new URL("./sim/worker.ts", import.meta.url), { type: "module" });
    for (let seed = waiting.shift(); seed !== undefined; seed = waiting.shift()) {
      reports.push(await ask(thread, { seed, steps }));
    }
    thread.terminate();
  });
  await Promise.all(threads);
  return reports.toSorted((left, right) => left.seed - right.seed);
}

function ask(thread: Worker, order: SeedOrder): Promise<SeedReport> {
  return new Promise((resolve, reject) => {
    thread.onmessage = ({ data }: MessageEvent<SeedReport>) => resolve(data);
    thread.onerror = ({ message }) => reject(new Error(`Seed ${order.seed}: ${message}`));
    thread.postMessage(order);
  });
}

async function main(): Promise<void> {
  const first = numberOf("seed", 1);
  const steps = numberOf("steps", 2000);
  const count = numberOf("seeds", 1);
  console.log(`seed ${first}${count > 1 ? ` to ${first + count - 1}` : ""}, ${steps} steps each`);
  const seeds = Array.from({ length: count }, (_, index) => first + index);
  const reports = count === 1 ? [one(first, steps)] : await many(seeds, steps);
  const failures = reports.filter(({ trouble }) => trouble !== "");
  for (const { seed, trouble } of failures) console.log(`seed ${seed}: ${trouble}`);
  const [failure] = failures;
  if (failure !== undefined && count > 1) one(failure.seed, steps);
  const events = reports.reduce((sum, report) => sum + report.events, 0);
  console.log(`${reports.length} seeds, ${events} events: ${failures.length} failed`);
  if (failures.length > 0) Deno.exit(1);
}

if (import.meta.main) await main();
