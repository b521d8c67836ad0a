// Rules of the memory behind GPADLs: use of a mapping's MDL (G-12, G-16), memory freed under a GPADL (G-19), pages that
// several ways reach. Conditions: kmcl.md 2.9, rules.md.
//
// Decisions where the documents leave room:
// - X-01 is one finding for each new GPADL; the others that describe its pages are evidence.
// - X-02 is one finding for each pair of a GPADL and an allocation; "behind a VA" is: some address points to it now.
// - X-03 looks when pages are given out: who reaches them then was not told that they were freed.
// - FreeMdl of a mapping's own MDL is G-19 while it is mapped, G-12 after.

import { isRef, operandRefs, PAGE_BYTES, printObject, type Ref } from "../api/mod.ts";
import { isModelled } from "./call_shapes.ts";
import type { AuditContext, CallView, Detector } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import { about, sized } from "./gpadl_drafts.ts";
import { type GpadlRecord, type Gpadls, historyOf } from "./gpadl_states.ts";
import { type GpuView, GpuViews } from "./gpu_views.ts";
import type { Extent } from "./extents.ts";
import type { GuestPages } from "./guest_pages.ts";
import { evidenceOf, operandRef } from "./join.ts";
import { Newest } from "./newest.ts";
import { NumberMap } from "./number_map.ts";
import { creationOf, type Ended } from "./object_table.ts";
import { PieceUsers } from "./piece_users.ts";
import type { PlanShape } from "./plan_shape.ts";
import { countText, placeText } from "./wording.ts";
import { writeOutside } from "./write_outside.ts";

/** Others that one finding names, at most. */
const MAX_OTHERS = 8;

/** Watches memory behind GPADLs. It must stand after the detector of GPADLs, whose states it asks. */
export function memoryDetector(gpadls: Gpadls, pages: GuestPages): Detector {
  const watch = new MemoryWatch(gpadls, pages);
  return {
    hears: isOfMemory,
    called: (call, context) => watch.called(call, context),
    returned: (call, context) => watch.returned(call, context),
    hearsEnd: (kind) => MEMORY.has(kind),
    ended: (objects) => watch.ended(objects),
  };
}

/** Kinds that stand for pages, or say which address space a call is about. */
const KINDS = ["buffer", "mdl", "gpadl", "allocation", "adapter", "pagingQueue", "context"] as const;
const MEMORY: ReadonlySet<string> = new Set(KINDS);

function isOfMemory(shape: PlanShape): boolean {
  return shape.range !== null || KINDS.some((kind) => shape.names(kind));
}

class MemoryWatch {
  readonly #gpadls: Gpadls;
  readonly #pages: GuestPages;
  readonly #gpadlPages: PieceUsers;
  readonly #allocationPages: PieceUsers;
  readonly #views = new GpuViews();
  /** The order in which allocations are followed. */
  readonly #followed = new NumberMap<number>();
  #lastFollowed = 0;
  /** Where a source was freed under its users. */
  readonly #freed = new Newest<number, Evidence>();

  constructor(gpadls: Gpadls, pages: GuestPages) {
    this.#gpadls = gpadls;
    this.#pages = pages;
    const isLive = (buffer: number): boolean => pages.hasBuffer(buffer);
    this.#gpadlPages = new PieceUsers({
      isLive,
      extentOf: (gpadl) => pages.extentOfGpadl(gpadl),
      orderOf: (gpadl) => gpadls.numbered(gpadl)?.createdAt ?? 0,
    });
    this.#allocationPages = new PieceUsers({
      isLive,
      extentOf: (allocation) => pages.extentOfAllocation(allocation),
      orderOf: (allocation) => this.#followed.get(allocation) ?? 0,
    });
  }

  called(call: CallView, context: AuditContext): void {
    const mdl = call.objectAt(call.shape.at.mdl);
    if (mdl !== null && isModelled(call.plan)) this.#mappingUsed(call, mdl, context);
    for (const { subject, param } of call.shape.destroys) {
      if (param.kind === "gpadl") continue;
      for (const ref of operandRefs(call, subject)) {
        if (ref.kind === "buffer" || ref.kind === "mdl") this.#freedEarly(call, ref, context);
      }
    }
  }

  returned(call: CallView, context: AuditContext): void {
    if (!call.succeeded) return;
    this.#pages.returned(call);
    const { outcome } = call;
    const made = outcome?.form === "value" ? outcome.value : null;
    if (isRef(made) && made.kind === "buffer") this.#allocated(call, made, context);
    for (const { subject, param } of call.shape.creates) {
      if (param.kind === "mdl") continue;
      const only = operandRef(call, subject);
      if (only !== null) this.#made(call, only, context);
      else for (const ref of operandRefs(call, subject)) this.#made(call, ref, context);
    }
    for (const view of this.#views.returned(call, context)) this.#viewed(call, view, context);
  }

  #made(call: CallView, ref: Ref, context: AuditContext): void {
    if (ref.kind === "gpadl") this.#described(call, ref, context);
    else if (ref.kind === "allocation") this.#follow(ref);
  }

  ended(objects: readonly Ended[]): void {
    for (const { ref } of objects) {
      if (ref.kind === "gpadl") {
        const extent = this.#pages.extentOf(ref);
        if (extent !== undefined) this.#gpadlPages.remove(ref.number, extent);
      } else if (ref.kind === "allocation") {
        const extent = this.#pages.extentOf(ref);
        if (extent !== undefined) this.#allocationPages.remove(ref.number, extent);
        this.#followed.delete(ref.number);
      }
      this.#views.ended(ref);
      this.#pages.ended(ref);
      if (ref.kind !== "buffer") continue;
      this.#gpadlPages.freed(ref.number);
      this.#allocationPages.freed(ref.number);
    }
  }

  /** A mapping's MDL: not after the unmap, not to write where it was mapped READ_ONLY, not to be freed. */
  #mappingUsed(call: CallView, mdl: Ref, context: AuditContext): void {
    const mapping = this.#gpadls.mappingOf(mdl);
    if (mapping === undefined) return;
    const { gpadl, unmapped, isReadOnly, mapped } = mapping;
    const name = `${printObject(mdl)}, the mapping of ${printObject(gpadl.ref)} made ${placeText(mapped)},`;
    const report = (
      rule: "gpadl-use-after-unmap" | "gpadl-write-through-read-only" | "gpadl-buffer-freed-early",
      text: string,
    ) => {
      const draft = about(gpadl, rule, { call, role: "used", text });
      const own = [gpadl.created, mapped, ...(unmapped === null ? [] : [unmapped]), evidenceOf(call, "used")];
      context.report({ ...draft, evidence: own });
    };
    const isGone = unmapped !== null || context.objects.live(mdl) === undefined;
    const outside = isGone ? null : writeOutside(call, mapping);
    if (outside !== null) context.report(outside);
    if (isGone) {
      const since = unmapped === null ? "" : ` after its unmap ${placeText(unmapped)}`;
      report("gpadl-use-after-unmap", `${name} was used by ${call.plan.name}${since}`);
    } else if (call.shape.verbOn("mdl") === "destroy") {
      report("gpadl-buffer-freed-early", `${name} was freed by ${call.plan.name} while mapped; the unmap ends it`);
    } else if (isReadOnly && call.in("bytes") !== undefined) {
      report("gpadl-write-through-read-only", `${name} was mapped READ_ONLY and written by ${call.plan.name}`);
    }
  }

  /** A GPADL's memory stays locked until its delete returned (G-19). */
  #freedEarly(call: CallView, source: Ref, context: AuditContext): void {
    if (context.objects.live(source) === undefined) return;
    if (call.succeeded && this.#isShared(source)) this.#freed.set(keyOf(source), evidenceOf(call, "freed"));
    const holders = this.#records(this.#pages.gpadlsOf(source));
    const [first] = holders;
    if (first === undefined) return;
    const more = holders.length > 1 ? ` and ${countText(holders.length - 1, "other GPADL")}` : "";
    const text = `${printObject(source)} was freed while ${sized(first)} describes it${more}`;
    const draft = about(first, "gpadl-buffer-freed-early", { call, role: "freed", text });
    const others = holders.slice(1, MAX_OTHERS).map(({ created }) => ({ ...created, role: "holder" }));
    context.report({ ...draft, evidence: [...draft.evidence, ...others] });
  }

  #isShared(source: Ref): boolean {
    if (this.#pages.hasGpadls(source)) return true;
    return this.#isUsed(source);
  }

  #isUsed(source: Ref): boolean {
    const extent = this.#pages.extentOf(source);
    return extent !== undefined && this.#allocationPages.isShared(extent);
  }

  #described(call: CallView, ref: Ref, context: AuditContext): void {
    const extent = this.#pages.extentOf(ref);
    const gpadl = this.#gpadls.find(ref);
    if (extent === undefined || gpadl === undefined) return;
    this.#describedTwice(call, gpadl, { extent, context });
    for (const { user, pages } of this.#allocationPages.sharing(extent)) {
      const view = this.#views.find(user);
      if (view !== undefined && view.mappedBytes > 0) reachedTwice(gpadl, view, { event: call.event, pages, context });
    }
    this.#gpadlPages.add(ref.number, extent, { isMarked: !gpadl.isReadOnly });
  }

  /** two live GPADLs describe a page, and the server may write through one of them. */
  #describedTwice(
    call: CallView,
    gpadl: GpadlRecord,
    { extent, context }: { readonly extent: Extent; readonly context: AuditContext },
  ): void {
    const sharing = this.#sharers(gpadl, extent);
    const [first] = sharing;
    if (first === undefined) return;
    const more = sharing.length > 1 ? ", and so do others" : "";
    const name = printObject(first.other.ref);
    context.report({
      rule: "guest-page-in-two-gpadls",
      message: `${printObject(gpadl.ref)} describes ${countText(first.pages, "page")} that ${name} describes since ` +
        `${placeText(first.other.created)}${more}; ${writable(gpadl, first.other)}`,
      event: call.event,
      object: gpadl.ref,
      evidence: [
        ...sharing.map(({ other }) => ({ ...other.created, role: "holder" })),
        evidenceOf(call, "created"),
      ],
      sizeBytes: first.pages * PAGE_BYTES,
    });
  }

  /** Other GPADLs over some of these pages that make it matter, as many as a finding names. */
  #sharers(gpadl: GpadlRecord, extent: Extent): readonly Overlap[] {
    const sharers: Overlap[] = [];
    // Beside a read-only one only those matter that may be written, and only those are looked at.
    for (const { user, pages } of this.#gpadlPages.sharing(extent, { isMarked: gpadl.isReadOnly })) {
      const other = this.#gpadls.numbered(user);
      if (other === undefined) continue;
      sharers.push({ other, pages });
      if (sharers.length === MAX_OTHERS) break;
    }
    return sharers;
  }

  #follow(allocation: Ref): void {
    const extent = this.#pages.extentOf(allocation);
    if (extent === undefined) return;
    this.#views.add(allocation, extent.byteCount);
    this.#allocationPages.add(allocation.number, extent);
    this.#lastFollowed += 1;
    this.#followed.set(allocation.number, this.#lastFollowed);
  }

  /** An allocation got addresses: X-02 for each GPADL over its pages. */
  #viewed(call: CallView, view: GpuView, context: AuditContext): void {
    const extent = this.#pages.extentOf(view.allocation);
    for (const { user, pages } of extent === undefined ? [] : this.#gpadlPages.sharing(extent)) {
      const gpadl = this.#gpadls.numbered(user);
      if (gpadl !== undefined) reachedTwice(gpadl, view, { event: call.event, pages, context });
    }
  }

  /** Pages were given out: whoever reaches them now holds what was freed. */
  #allocated(call: CallView, buffer: Ref, context: AuditContext): void {
    const given = this.#pages.extentOf(buffer);
    if (given === undefined) return;
    for (const { user, pages } of this.#gpadlPages.sharing(given)) {
      for (const gpadl of this.#records([user])) {
        const evidence = [...historyOf(gpadl), ...this.#freedOf(gpadl.ref)];
        reused(call, buffer, { holder: gpadl.ref, how: "describes", pages, evidence, context });
      }
    }
    for (const { user, pages } of this.#allocationPages.sharing(given)) {
      const view = this.#views.find(user);
      if (view === undefined || view.mappedBytes === 0) continue;
      const created = context.objects.find(view.allocation);
      const evidence = [
        ...(created === undefined ? [] : [creationOf(created)]),
        ...(view.mapped === null ? [] : [view.mapped]),
        ...this.#freedOf(view.allocation),
      ];
      reused(call, buffer, { holder: view.allocation, how: "shows the GPU", pages, evidence, context });
    }
  }

  #freedOf(holder: Ref): readonly Evidence[] {
    const sources = this.#pages.extentOf(holder)?.sources ?? [];
    return sources.flatMap((source) => this.#freed.get(keyOf(source)) ?? []);
  }

  #records(numbers: Iterable<number>): GpadlRecord[] {
    return [...numbers].flatMap((number) => this.#gpadls.numbered(number) ?? []);
  }
}

/** Another GPADL, and how many pages it describes too. */
interface Overlap {
  readonly other: GpadlRecord;
  readonly pages: number;
}

/** A source of pages, a buffer or an MDL, as one number. */
function keyOf({ kind, number }: Ref): number {
  return kind === "mdl" ? -number : number;
}

function writable(gpadl: GpadlRecord, other: GpadlRecord): string {
  if (!gpadl.isReadOnly && !other.isReadOnly) return "both may be written";
  return `${printObject((gpadl.isReadOnly ? other : gpadl).ref)} may be written`;
}

interface Meeting {
  readonly event: number;
  readonly pages: number;
  readonly context: AuditContext;
}

/** the server reaches a page through a GPADL, and the GPU through an address. */
function reachedTwice(gpadl: GpadlRecord, view: GpuView, { event, pages, context }: Meeting): void {
  const mapped = view.mapped === null ? [] : [view.mapped];
  const evidence = [{ ...gpadl.created, role: gpadl.created.event === event ? "created" : "holder" }, ...mapped];
  context.report({
    rule: "guest-page-behind-gpadl-and-gpuva",
    message: `${countText(pages, "page")} of ${printObject(gpadl.ref)} (created ${placeText(gpadl.created)}) ` +
      `${pages === 1 ? "is" : "are"} behind GPU addresses of ${printObject(view.allocation)} too` +
      (view.mapped === null ? "" : ` (mapped ${placeText(view.mapped)})`),
    event,
    object: gpadl.ref,
    evidence: evidence.sort((left, right) => left.event - right.event),
    sizeBytes: pages * PAGE_BYTES,
  });
}

function reused(
  call: CallView,
  buffer: Ref,
  { holder, how, pages, evidence, context }: {
    readonly holder: Ref;
    readonly how: string;
    readonly pages: number;
    readonly evidence: readonly Evidence[];
    readonly context: AuditContext;
  },
): void {
  context.report({
    rule: "guest-page-reused-while-shared",
    message: `${printObject(buffer)} got ${countText(pages, "page")} that ${printObject(holder)} still ${how}`,
    event: call.event,
    object: holder,
    evidence: [...evidence, context.evidence(call, "reused")],
    sizeBytes: pages * PAGE_BYTES,
  });
}
