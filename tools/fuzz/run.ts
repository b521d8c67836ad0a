// Runs mutations from one seed: each has a seed of its own, by which it can be made again alone.
// It must not know where traces come from, nor where results go.

import { Random } from "../../src/driver/mod.ts";
import { damageBlocks, damageBytes, joined } from "./damage.ts";
import { claimBlocks, fitIndex, forgeBlock, forgeHeader } from "./forge.ts";
import { type Attempt, judge, type Verdict } from "./judge.ts";
import type { Subject } from "./subjects.ts";
import { runVerb, type Verb, VERBS } from "./verbs.ts";

/** What one seed makes: bytes and how they were made. */
export interface Mutation extends Attempt {
  readonly seed: number;
  readonly steps: readonly string[];
  /** What a user goes on to do with it. */
  readonly verb: Verb;
}

/** A mutation that a reader got wrong. */
export interface Failure {
  readonly mutation: Mutation;
  readonly what: string;
}

/** How to fuzz. */
export interface FuzzOptions {
  readonly seed: number;
  readonly mutations: number;
  /** Asked after each mutation; true ends the run. */
  readonly isOver?: () => boolean;
  /** Memory in use, in bytes; not watched where left out. */
  readonly memoryBytes?: () => number;
}

/** What came of a run. */
export interface FuzzResult {
  readonly outcomes: ReadonlyMap<Verdict["outcome"], number>;
  readonly mutations: number;
  readonly events: number;
  /** Most memory that one mutation took beyond its file, garbage included. */
  readonly mostBytes: number;
  readonly failures: readonly Failure[];
}

/** Memory that reading may take beyond the file, in bytes. */
export const MEMORY_LIMIT_BYTES = 64 * 2 ** 20;
const MOST_FAILURES = 10;

/** Mutates and judges; ends at ten failures. */
export function fuzz(subjects: readonly Subject[], { seed, mutations, isOver, memoryBytes }: FuzzOptions): FuzzResult {
  const seeds = new Random(seed);
  const outcomes = new Map<Verdict["outcome"], number>();
  const failures: Failure[] = [];
  let [done, events, mostBytes] = [0, 0, 0];
  while (done < mutations && failures.length < MOST_FAILURES && isOver?.() !== true) {
    const mutation = mutationOf(subjects, seeds.next());
    const before = memoryBytes?.() ?? 0;
    const verdict = judge(mutation);
    const taken = (memoryBytes?.() ?? 0) - before - mutation.bytes.length;
    mostBytes = Math.max(mostBytes, taken);
    done += 1;
    events += verdict.events;
    outcomes.set(verdict.outcome, (outcomes.get(verdict.outcome) ?? 0) + 1);
    if (verdict.outcome === "wrong") failures.push({ mutation, what: verdict.what });
    else if (taken > MEMORY_LIMIT_BYTES) failures.push({ mutation, what: `it took ${taken} bytes of memory` });
    else if (verdict.outcome !== "refused") failures.push(...failedVerb(mutation));
  }
  return { outcomes, mutations: done, events, mostBytes, failures };
}

/** Not part of what reading takes: a verb may keep what it read. */
function failedVerb(mutation: Mutation): readonly Failure[] {
  const what = runVerb(mutation.verb, mutation.bytes);
  return what === "" ? [] : [{ mutation, what }];
}

/** What a seed makes of these subjects. */
export function mutationOf(subjects: readonly Subject[], seed: number): Mutation {
  const random = new Random(seed);
  const subject = random.pick(subjects);
  const donor = random.pick(subjects);
  const steps: string[] = [];
  const isForged = random.below(2) === 0;
  const whole = isForged ? forged(subject, random, steps) : subject;
  let { blocks } = whole;
  for (let left = random.pick(isForged ? [0, 0, 0, 1] : [0, 0, 1, 2]); left > 0; left -= 1) {
    const damaged = damageBlocks(blocks, donor.blocks, random);
    blocks = damaged.value;
    steps.push(damaged.step);
  }
  let bytes = joined([whole.headerBytes, ...blocks]);
  const least = steps.length === 0 ? 1 : 0;
  for (let left = least + random.pick(isForged ? [0, 0, 0, 1] : [0, 0, 1, 2]); left > 0; left -= 1) {
    const damaged = damageBytes(bytes, random);
    bytes = damaged.value;
    steps.push(damaged.step);
  }
  const isSummaryFirst = random.below(2) === 0;
  return { bytes, subject, donor, isForged, isSummaryFirst, verb: random.pick(VERBS), seed, steps };
}

/** A subject of which blocks or the header lie. */
function forged(
  subject: Subject,
  random: Random,
  steps: string[],
): { readonly headerBytes: Uint8Array; readonly blocks: readonly Uint8Array[] } {
  let { headerBytes } = subject;
  let blocks = [...subject.blocks];
  for (let left = 1 + random.below(3); left > 0 && blocks.length > 0; left -= 1) {
    const place = random.below(blocks.length);
    const { value, step } = forgeBlock(blocks[place] ?? new Uint8Array(0), random);
    blocks[place] = value;
    steps.push(`block ${place}: ${step}`);
  }
  if (random.below(5) === 0) {
    const { value, step } = forgeHeader(headerBytes, random);
    headerBytes = value;
    blocks = claimBlocks(blocks, headerBytes);
    steps.push(step);
  }
  if (random.below(3) > 0) return { headerBytes, blocks };
  steps.push("the index fits again");
  return { headerBytes, blocks: fitIndex(blocks, headerBytes.length) };
}
