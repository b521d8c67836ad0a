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
import { type GpadlRecord, type Gpadls, historyOf, READ_ONLY } from "./gpadl_states.ts";
import { isUpdate } from "./gpu_update_operations.ts";
import { type GpuView, GpuViews } from "./gpu_views.ts";
import type { Extent } from "./extents.ts";
import type { GuestPages } from "./guest_pages.ts";
import { evidenceOf } from "./join.ts";
import { Newest } from "./newest.ts";
import { NumberMap } from "./number_map.ts";
import { creationOf, type Ended, type ObjectTable } from "./object_table.ts";
import { type Crowd, PieceUsers } from "./piece_users.ts";
import type { PlanShape } from "./plan_shape.ts";
import { RowValues } from "./row_values.ts";
import { countText, placeText } from "./wording.ts";
import { writeOutside } from "./write_outside.ts";

/** Others that one finding names, at most. */
const MAX_OTHERS = 8;

/** What rules of memory look at, and where they keep what they know of objects. */
export interface MemoryFolds {
  readonly gpadls: Gpadls;
  readonly pages: GuestPages;
  readonly objects: ObjectTable;
}

/** Watches memory behind GPADLs. It must stand after the detector of GPADLs, whose states it asks. */
export function memoryDetector(watch: MemoryWatch): Detector {
  return {
    listen(shape) {
      if (!isOfMemory(shape)) return null;
      const namesMdl = shape.at.mdl >= 0 && isModelled(shape.plan);
      const frees = shape.destroys.some(({ param: { kind } }) => kind === null || kind === "buffer" || kind === "mdl");
      return {
        ...((namesMdl || frees) && { called: (call, context) => watch.called(call, { namesMdl, context }) }),
        // Whoever takes a plain call of a GPADL notes its pages.
        ...(shape.gpadlVerb !== null && !namesMdl && { isIdle: () => true }),
        ...(isOfRange(shape) && { isIdle: () => watch.isWithoutViews }),
        ...(watch.hearsReturn(shape) && { returned: (call, context) => watch.returned(call, context) }),
      };
    },
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

/** Whether a call does nothing but map or free addresses. */
function isOfRange({ range, creates, destroys, returnsPages, gpadlVerb, at }: PlanShape): boolean {
  return range !== null && creates.length + destroys.length === 0 && !returnsPages && gpadlVerb === null && at.mdl < 0;
}

/** What is known of memory behind GPADLs and of who uses it. */
export class MemoryWatch {
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

  constructor({ gpadls, pages, objects }: MemoryFolds) {
    this.#gpadls = gpadls;
    this.#pages = pages;
    const isLive = (buffer: number): boolean => pages.hasBuffer(buffer);
    this.#gpadlPages = new PieceUsers({
      isLive,
      extentOf: (gpadl) => pages.extentOfGpadl(gpadl),
      orderOf: (gpadl) => gpadls.numbered(gpadl)?.createdAt ?? 0,
    }, new RowValues<Crowd>(objects.rowsOf("buffer")));
    this.#allocationPages = new PieceUsers({
      isLive,
      extentOf: (allocation) => pages.extentOfAllocation(allocation),
      orderOf: (allocation) => this.#followed.get(allocation) ?? 0,
    }, new RowValues<Crowd>(objects.rowsOf("buffer")));
  }

  called(call: CallView, { namesMdl, context }: { readonly namesMdl: boolean; readonly context: AuditContext }): void {
    const mdl = namesMdl ? call.objectAt(call.shape.at.mdl) : null;
    if (mdl !== null) this.#mappingUsed(call, mdl, context);
    for (const { subject, param } of call.shape.destroys) {
      if (param.kind === "gpadl") continue;
      for (const ref of operandRefs(call, subject)) {
        if (ref.kind === "buffer" || ref.kind === "mdl") this.#freedEarly(call, ref, context);
      }
    }
  }

  /** No allocation is followed: whatever is mapped shows no pages of a partition. */
  get isWithoutViews(): boolean {
    return this.#views.isEmpty;
  }

  /** Whether calls of a shape, once they have returned, change what stands for pages or what the GPU reaches. */
  hearsReturn(shape: PlanShape): boolean {
    const { creates, range, gpadlVerb, returnsPages } = shape;
    return returnsPages || creates.length > 0 || range !== null || gpadlVerb === "map" || isUpdate(shape.plan);
  }

  returned(call: CallView, context: AuditContext): void {
    if (!call.succeeded) return;
    this.#pages.returned(call);
    const { outcome, shape } = call;
    const made = shape.returnsPages && outcome?.form === "value" ? outcome.value : null;
    if (isRef(made) && made.kind === "buffer") this.#allocated(call, made, context);
    if (shape.creates.length > 0) this.#made(call, context);
    for (const view of this.#views.returned(call, context)) this.#viewed(call, view, context);
  }

  #made(call: CallView, context: AuditContext): void {
    for (const { subject, param } of call.shape.creates) {
      if (param.kind === "mdl") continue;
      for (const ref of operandRefs(call, subject)) {
        if (ref.kind === "gpadl") this.#described(call, ref, context);
        else if (ref.kind === "allocation") this.#follow(ref);
      }
    }
  }

  /**
   * Takes a GPADL that a call made of a live buffer which nothing else describes, as for most: nobody shares its pages. False, and
   * nothing is done, where that is not so.
   */
  describesAlone(call: CallView): boolean {
    const { madeGpadl, gpadlFlags, buffer: place } = call.shape.at;
    const gpadl = call.madeNumberAt(madeGpadl);
    const buffer = call.objectNumberAt(place);
    if (gpadl < 0 || buffer < 0 || !this.#allocationPages.isEmpty || !this.#pages.hasBuffer(buffer)) return false;
    const isMarked = (call.numberAt(gpadlFlags) & READ_ONLY) === 0;
    return this.#gpadlPages.addAlone(buffer, gpadl, { isMarked });
  }

  /** Takes the end of a GPADL that is like that still; false, and nothing is done, where it is not. */
  endsAlone(gpadl: number): boolean {
    const buffer = this.#pages.bufferOfGpadl(gpadl);
    return buffer >= 0 && this.#gpadlPages.removeAlone(buffer, gpadl);
  }

  ended(objects: readonly Ended[]): void {
    for (const { ref } of objects) {
      if (ref.kind === "gpadl") this.#noLonger(ref.number);
      else if (ref.kind === "allocation") {
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

  /** A GPADL describes nothing any more. */
  #noLonger(gpadl: number): void {
    if (this.endsAlone(gpadl)) return;
    const extent = this.#pages.extentOfGpadl(gpadl);
    if (extent !== undefined) this.#gpadlPages.remove(gpadl, extent);
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
