// The second pass over a trace, made only where there are findings: who wrote the memory of what was found last, and the
// calls and sites behind positions that the first pass knew by number alone. Bounded by the findings that it is asked for.

import { printObject } from "../api/mod.ts";
import type { Trace, TraceEvent } from "../trace/mod.ts";
import type { Evidence, Finding } from "./finding.ts";
import { GuestPages, runsOf } from "./guest_pages.ts";
import { type JoinedCall, walk, type Walker } from "./join.ts";
import { ObjectTable, type Tracked } from "./object_table.ts";
import { PageUsers } from "./page_runs.ts";

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
  return findings.map((finding, index) => index < limit ? second.complete(finding) : finding);
}

/** One object whose memory is watched. */
interface Watched {
  readonly user: number;
  lastWritten: Evidence | null;
}

class SecondPass implements Walker {
  readonly #hasMemory: boolean;
  readonly #watched = new Map<string, Watched>();
  readonly #byUser: Watched[] = [];
  readonly #pages = new GuestPages();
  readonly #users = new PageUsers();
  /** Objects, to know what ends with what. */
  readonly #objects = new ObjectTable();
  /** Positions to be looked up, with what stands there once it was seen. */
  readonly #wanted = new Map<number, Pick<Evidence, "call" | "site" | "side"> | null>();
  /** The newest write and the pages that its memory events have still to touch. */
  #write: { readonly call: JoinedCall; readonly pages: readonly number[]; next: number } | null = null;

  constructor(
    findings: readonly Finding[],
    { hasWrites, hasMemory }: { readonly hasWrites: boolean; readonly hasMemory: boolean },
  ) {
    this.#hasMemory = hasMemory;
    for (const { object, evidence } of findings) {
      const name = !hasWrites || object === null || !MEMORY_KINDS.has(object.kind) ? "" : printObject(object);
      if (name !== "" && !this.#watched.has(name)) {
        const watched = { user: this.#byUser.length, lastWritten: null };
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
    for (const { ref } of made) this.#watch(ref);
    this.#noteWrite(call);
    this.#ended(this.#objects.destroy(call));
  }

  callback(): void {}

  callbackReturned(): void {}

  /** The changes of a write come after it, page by page. */
  memory(event: TraceEvent): void {
    if (this.#write === null || event.cause !== this.#write.call.event) return;
    const page = this.#write.pages[this.#write.next];
    this.#write.next += 1;
    if (page === undefined) return;
    const { site } = this.#write.call;
    this.#written(page, { event: event.event, role: "last-written", site, call: "", side: this.#write.call.side });
  }

  #lookedUp(event: number, { plan, site, side }: JoinedCall): void {
    this.#wanted.set(event, { call: plan.name, site, side });
  }

  #watch(ref: Tracked["ref"]): void {
    const watched = this.#watched.get(printObject(ref));
    const extent = watched === undefined ? undefined : this.#pages.extentOf(ref);
    if (watched !== undefined && extent !== undefined) this.#users.add(watched.user, runsOf(extent.pieces));
  }

  #noteWrite(call: JoinedCall): void {
    const pages = this.#watched.size === 0 ? [] : this.#pages.pagesWritten(call);
    if (pages.length === 0) return;
    this.#write = { call, pages, next: 0 };
    if (this.#hasMemory) return;
    const { event, site, plan, side } = call;
    for (const page of pages) this.#written(page, { event, role: "last-written", site, call: plan.name, side });
  }

  #written(page: number, evidence: Evidence): void {
    for (const { user } of this.#users.sharing([{ start: page, end: page + 1 }])) {
      const watched = this.#byUser[user];
      if (watched !== undefined) watched.lastWritten = evidence;
    }
  }

  /** A GPADL, buffer or allocation that ended is written no more; pages of a freed buffer stay its GPADLs'. */
  #ended(objects: readonly Tracked[]): void {
    for (const { ref } of objects) {
      const watched = this.#watched.get(printObject(ref));
      if (watched !== undefined) this.#users.remove(watched.user);
      this.#pages.ended(ref);
    }
  }
}

/** A position of the first pass without the call that stands there. */
function isBare({ call }: Evidence): boolean {
  return call === "";
}
