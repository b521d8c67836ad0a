// Simulates a part of the model at random from the declarations, checks invariants after every step, replays and audits what was
// recorded. Exit code 1 if a seed fails: it is printed with its step, what does not hold, and its calls as a scenario.

import { dumpLines } from "../src/view/mod.ts";
import type { Failure, SeedResult, Shortened } from "./sim/seed_result.ts";
import { headerFor } from "./sim/simulation.ts";
import type { SeedOrder, SeedReport } from "./sim/worker.ts";
import { worldNamed, WORLDS } from "./sim/worlds.ts";

const HELP = `Simulates at random, with invariants after every step, replays, and audits beside a slow oracle.
Usage: deno task sim [--world NAME] [--seed N] [--steps N] [--seeds N] [--seen]
  --world NAME  ${WORLDS.map(({ name }) => name).join(", ")} or all (default kmcl)
  --seed N      the first seed (default 1)
  --seeds N     how many seeds (default 1)
  --steps N     steps of each seed (default 2000)
  --seen        how often each call did what it is for, and how often not`;

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

function printFailure({ seed, trouble, steps, options }: Failure, short: Shortened): void {
  console.log(`\nFAILED seed ${seed} at step ${steps.length}: ${trouble.check}\n  ${trouble.message}`);
  console.log(`Shortened to ${short.steps.length} steps: ${short.trouble.message}\n`);
  const lines = [...dumpLines({ header: headerFor(options), events: short.events })];
  for (const line of lines.filter((each) => !each.trimStart().startsWith("#")).slice(-LINES)) console.log(line);
}

/** How often each call did what it is for, and how often not: whether a simulation still reaches everything. */
function printSeen({ seen }: SeedResult): void {
  for (const [name, { well, badly }] of [...seen].toSorted()) console.log(`  ${name}: ${well} well, ${badly} not`);
}

async function one({ world, seed, steps }: SeedOrder): Promise<SeedReport> {
  const { result, shorten } = await worldNamed(world).run({ seed, steps });
  if (Deno.args.includes("--seen")) printSeen(result);
  if (result.failed !== null) printFailure(result.failed, await shorten(ATTEMPTS));
  return { world, seed, events: result.events, trouble: result.failed?.trouble.check ?? "" };
}

/** Shares the seeds among as many threads as there are processors. */
async function many(orders: readonly SeedOrder[]): Promise<readonly SeedReport[]> {
  const waiting = [...orders];
  const reports: SeedReport[] = [];
  const threads = Array.from({ length: Math.min(navigator.hardwareConcurrency, orders.length) }, async () => {
    const thread = new Worker(new URL("./sim/worker.ts", import.meta.url), { type: "module" });
    for (let order = waiting.shift(); order !== undefined; order = waiting.shift()) {
      reports.push(await ask(thread, order));
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

/** The worlds that were asked for. */
function worldsAsked(): readonly string[] {
  const at = Deno.args.indexOf("--world");
  const name = at < 0 ? "kmcl" : Deno.args[at + 1] ?? "";
  return name === "all" ? WORLDS.map((world) => world.name) : [worldNamed(name).name];
}

/** Simulates seeds of one world; whether all held. */
async function simulate(world: string, { first, steps, count }: { first: number; steps: number; count: number }) {
  console.log(`${world}: seed ${first}${count > 1 ? ` to ${first + count - 1}` : ""}, ${steps} steps each`);
  const orders = Array.from({ length: count }, (_, index) => ({ world, seed: first + index, steps }));
  const [only] = orders;
  const reports = count === 1 && only !== undefined ? [await one(only)] : await many(orders);
  const failures = reports.filter(({ trouble }) => trouble !== "");
  for (const { seed, trouble } of failures) console.log(`${world} seed ${seed}: ${trouble}`);
  const [failure] = failures;
  if (failure !== undefined && count > 1) await one({ world, seed: failure.seed, steps });
  const events = reports.reduce((sum, report) => sum + report.events, 0);
  console.log(`${world}: ${reports.length} seeds, ${events} events: ${failures.length} failed`);
  return failures.length === 0;
}

async function main(): Promise<void> {
  if (Deno.args.includes("--help")) return console.log(HELP);
  const run = { first: numberOf("seed", 1), steps: numberOf("steps", 2000), count: numberOf("seeds", 1) };
  const held: boolean[] = [];
  for (const world of worldsAsked()) held.push(await simulate(world, run));
  if (held.includes(false)) Deno.exit(1);
}

if (import.meta.main) await main();
