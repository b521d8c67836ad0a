// The second pass over a trace, made only where there are findings: who wrote the memory of what was found last, and the
// calls and sites behind positions that the first pass knew by number alone. Bounded by the findings that it is asked for.

import { printObject, type Ref } from "../api/mod.ts";
import type { Trace } from "../trace/mod.ts";
import type { CallView } from "./detector.ts";
import type { Evidence, Finding } from "./finding.ts";
import { runsOf } from "./extents.ts";
import { GuestPages } from "./guest_pages.ts";
import { type JoinedCall, walk, type Walker } from "./join.ts";
import { type Ended, ObjectTable } from "./object_table.ts";
import { type PageRun, PageUsers } from "./page_runs.ts";
import type { PlanShape } from "./plan_shape.ts";

/** Findings that get evidence of the second pass, where nobody says otherwise; the first ones in their order. */
export const EVIDENCE_LIMIT = 256;

/** Kinds that stand for memory. */
const MEMORY_KINDS: ReadonlySet<string> = new Set(["gpadl", "buffer", "mdl", "allocation"]);

/** The findings with more evidence; those from `limit` on stay as they are. Where the CPU wrote nothing, nothing is watched. */
export function withEvidence(
  trace: Trace,
  findings: readonly Finding[],
  { limit, hasWrites }: { readonly limit: number; readonly hasWrites: boolean },
): readonly Finding[] {
  const detailed = findings.slice(0, limit);
  if (detailed.length === 0) return findings;
  const second = new SecondPass(detailed, { hasWrites, hasMemory: trace.header.memory !== "none" });
  if (second.isIdle) return findings;
  walk(trace, second);
  second.find(trace);
  return findings.map((finding, index) => index < limit ? second.complete(finding) : finding);
}

/** The newest write to an object: the call, and which of the pages that it wrote was the object's last. */
interface LastWrite {
  readonly call: CallView;
  readonly page: number;
  readonly pages: number;
}

/** One object whose memory is watched. */
interface Watched {
  readonly user: number;
  runs: readonly PageRun[];
  last: LastWrite | null;
  lastWritten: Evidence | null;
}

class SecondPass implements Walker {
  /** Changes of memory are looked up where a last write is known: most are nobody's. */
  readonly hearsMemory = false;
  readonly #hasMemory: boolean;
  readonly #watched = new Map<string, Watched>();
  readonly #byUser: Watched[] = [];
  /** Objects, to know what ends with what. */
  readonly #objects = new ObjectTable();
  readonly #pages = new GuestPages(this.#objects);
  readonly #users = new PageUsers();
  /** Positions to be looked up, with what stands there once it was seen. */
  readonly #wanted = new Map<number, Pick<Evidence, "call" | "site" | "side"> | null>();

  constructor(
    findings: readonly Finding[],
    { hasWrites, hasMemory }: { readonly hasWrites: boolean; readonly hasMemory: boolean },
  ) {
    this.#hasMemory = hasMemory;
    for (const { object, evidence } of findings) {
      const name = !hasWrites || object === null || !MEMORY_KINDS.has(object.kind) ? "" : printObject(object);
      if (name !== "" && !this.#watched.has(name)) {
        const watched = { user: this.#byUser.length, runs: [], last: null, lastWritten: null };
        this.#watched.set(name, watched);
        this.#byUser.push(watched);
      }
      for (const each of evidence) if (isBare(each)) this.#wanted.set(each.event, null);
    }
  }

  /** Nothing to look for. */
  get isIdle(): boolean {
    return this.#watched.size === 0 && this.#wanted.size === 0;
  }

  /** The finding with what this pass saw. */
  complete(finding: Finding): Finding {
    const evidence = finding.evidence.map((each) => isBare(each) ? { ...each, ...this.#wanted.get(each.event) } : each);
    const watched = finding.object === null ? undefined : this.#watched.get(printObject(finding.object));
    const written = watched?.lastWritten ?? null;
    return { ...finding, evidence: written === null ? evidence : [...evidence, written] };
  }

  called(call: JoinedCall): void {
    if (this.#wanted.get(call.event) === null) this.#lookedUp(call.event, call);
  }

  returned(call: JoinedCall): void {
    if (this.#wanted.get(call.returnedAt) === null) this.#lookedUp(call.returnedAt, call);
    if (!call.succeeded) return;
    const made = this.#objects.create(call);
    this.#pages.returned(call);
    for (const ref of made) this.#watch(ref);
    this.#noteWrite(call);
    this.#ended(this.#objects.destroy(call));
  }

  /** A position can be that of any call; else what makes, ends and writes memory matters. */
  hears(shape: PlanShape): boolean {
    if (this.#wanted.size > 0) return true;
    return shape.creates.length + shape.destroys.length > 0 || shape.gpadlVerb !== null || shape.isWrite;
  }

  hearsCallback(): boolean {
    return false;
  }

  callback(): void {}

  callbackReturned(): void {}

  memory(): void {}

  /** Finds the changes of memory that the last writes made; where the trace keeps none, the call stands for them. */
  find(trace: Trace): void {
    for (const watched of this.#byUser) {
      const { last } = watched;
      if (last === null) continue;
      const { event, site, plan, side } = last.call;
      const change = this.#hasMemory ? changeOf(trace, last) : null;
      watched.lastWritten = change === null
        ? { event, role: "last-written", site, call: plan.name, side }
        : { event: change, role: "last-written", site, call: "", side };
    }
  }

  #lookedUp(event: number, { plan, site, side }: JoinedCall): void {
    this.#wanted.set(event, { call: plan.name, site, side });
  }

  #watch(ref: Ref): void {
    const watched = this.#watched.get(printObject(ref));
    const extent = watched === undefined ? undefined : this.#pages.extentOf(ref);
    if (watched === undefined || extent === undefined) return;
    watched.runs = runsOf(extent.pieces);
    this.#users.add(watched.user, watched.runs);
  }

  #noteWrite(call: JoinedCall): void {
    if (this.#watched.size === 0 || !call.shape.isWrite) return;
    const runs = this.#pages.pagesWritten(call);
    const pages = pageCount(runs);
    for (const { user } of this.#users.sharing(runs)) {
      const watched = this.#byUser[user];
      if (watched !== undefined) watched.last = { call: call.keep(), page: lastShared(runs, watched.runs), pages };
    }
  }

  /** A GPADL, buffer or allocation that ended is written no more; pages of a freed buffer stay its GPADLs'. */
  #ended(objects: readonly Ended[]): void {
    for (const { ref } of objects) {
      const watched = this.#watched.get(printObject(ref));
      if (watched !== undefined) this.#users.remove(watched.user);
      this.#pages.ended(ref);
    }
  }
}

/** The position, among the pages of a list, of the last one that the other has too; -1: there is none. */
function lastShared(runs: readonly PageRun[], others: readonly PageRun[]): number {
  let last = -1;
  let before = 0;
  for (const { start, end } of runs) {
    for (const other of others) {
      const shared = Math.min(end, other.end) - 1;
      if (shared >= Math.max(start, other.start)) last = Math.max(last, before + shared - start);
    }
    before += end - start;
  }
  return last;
}

function pageCount(runs: readonly PageRun[]): number {
  return runs.reduce((sum, { start, end }) => sum + end - start, 0);
}

/** The event by which a write changed a page: the changes of a write come after it, page by page. */
function changeOf(trace: Trace, { call, page, pages }: LastWrite): number | null {
  let left = page;
  for (const { event, kind, cause } of trace.events({ from: call.event + 1, to: call.event + pages })) {
    if (kind !== "memory" || cause !== call.event) continue;
    if (left === 0) return event;
    left -= 1;
  }
  return null;
}

/** A position of the first pass without the call that stands there. */
function isBare({ call }: Evidence): boolean {
  return call === "";
}
