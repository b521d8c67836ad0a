// Tells a page oracle what the calls of a run asked for, when it happened, and compares what the engine's spaces hold with it.
// Of the engine it takes four facts, none about pages: how far each paging queue is, which updates are still queued, which
// allocations are still there, and which devices work. Where two of these happen in one step in an order that no document
// fixes, and their pages meet, it takes over what the engine says of those pages, and counts them (`adopted`).

import {
  canonicalSide,
  firstPhysicalAdapter,
  hasSucceeded,
  isArray,
  type ModelOptions,
  SYMBOLS,
  type Value,
} from "../../src/api/mod.ts";
import type { World } from "../../src/engine/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";
import { isPages, numberOf, pageOf, spanOf, structsIn } from "./gpu_call_values.ts";
import { contentsOf, newestOf, pageDifference } from "./gpu_page_contents.ts";
import { type Content, mapped, type Obtained, type Operation, PageOracle, unbacked } from "./gpu_page_oracle.ts";
import { queueUpdate } from "./gpu_updates.ts";

const { Write, Execute, Zero, NoAccess } = SYMBOLS.protection;

interface Queued {
  readonly space: string;
  readonly fence: bigint;
  /** Null: a reservation. */
  readonly operation: Operation | null;
  readonly obtained: Obtained | null;
}

interface Update {
  readonly event: number;
  readonly space: string;
  readonly operations: readonly Operation[];
}

/** A call that did what it was called for. */
interface Done {
  readonly name: string;
  readonly side: string;
  readonly event: number;
  in(name: string): Value;
  out(name: string): Value;
}

/** All spaces of a run, page by page. */
export class GpuPages {
  readonly #options: ModelOptions;
  readonly spaces = new Map<string, PageOracle>();
  /** By object number. */
  readonly #adapters = new Map<number, string>();
  readonly #devices = new Map<number, string>();
  readonly #queues = new Map<
    number,
    { readonly device: number; readonly gpu: number; readonly priority: number; operations: Queued[] }
  >();
  readonly #contexts = new Map<number, { readonly device: number; readonly gpu: number; updates: Update[] }>();
  readonly #allocations = new Map<number, { readonly device: number; isDestroyed: boolean }>();
  readonly #entered = new Map<number, TraceEvent>();
  #waiting: TraceEvent[] = [];
  #adopted = 0;

  constructor(options: ModelOptions) {
    this.#options = options;
  }

  /**
   * Spaces in which an allocation that was destroyed waited for work while changes of its pages were queued: which of both
   * comes first no document says, and the audit counts the destroy when it is called. Nothing is compared there any more.
   */
  readonly unordered = new Set<string>();
  /** What an audit must say of frees, by their event; empty: nothing. */
  readonly frees = new Map<number, string>();

  /** Pages of which the engine's word was taken. */
  get adopted(): number {
    return this.#adopted;
  }

  event(event: TraceEvent): void {
    this.#waiting.push(event);
  }

  /** Follows the newest step. */
  follow(world: World): void {
    const events = this.#waiting;
    this.#waiting = [];
    const doubtful = new Map<string, Set<number>>();
    for (const event of events) this.#take(event, world);
    for (const name of [...this.spaces.keys()]) if (!world.spaces.has(name)) this.spaces.delete(name);
    this.#runQueues(world);
    this.#runUpdates(world, doubtful);
    this.#release(world);
    this.#watchDying(world);
    for (const [name, pages] of doubtful) this.#adopt(world, name, pages);
  }

  /** The first page of which engine and oracle do not say the same. */
  difference(world: World): string | null {
    for (const [name, space] of world.spaces) {
      const message = pageDifference(this.#space(name), space);
      if (message !== null) return `${name}: ${message}`;
    }
    return null;
  }

  #space(name: string): PageOracle {
    const found = this.spaces.get(name);
    if (found !== undefined) return found;
    const made = new PageOracle();
    this.spaces.set(name, made);
    return made;
  }

  #take(event: TraceEvent, world: World): void {
    const { kind, plan, outcome, of, side } = event;
    if (kind === "enter") this.#entered.set(event.event, event);
    if (plan === null || outcome === null || (kind !== "call" && kind !== "leave")) return;
    if (kind === "call" && plan.name === "D3DKMTDestroyAllocation2" && hasSucceeded(outcome)) this.#destroys(event);
    const entered = kind === "leave" ? this.#entered.get(of) : event;
    if (plan.name === "D3DKMTFreeGpuVirtualAddress") this.#judgeFree(event, world);
    if (!hasSucceeded(outcome) || entered === undefined) return;
    const done: Done = {
      name: plan.name,
      side: canonicalSide(side),
      event: kind === "leave" ? of : event.event,
      in: (name) => entered.ins[plan.ins.findIndex((param) => param.name === name)] ?? null,
      out: (name) => event.outs[plan.outs.findIndex((param) => param.name === name)] ?? null,
    };
    this.#done(done, world);
  }

  #done(done: Done, world: World): void {
    switch (done.name) {
      case "D3DKMTOpenAdapterFromLuid":
        return this.#opened(done.out("hAdapter"), `${done.side} on ${done.in("AdapterLuid")}`);
      case "D3DKMTEnumAdapters2":
        for (const { hAdapter, AdapterLuid } of structsIn(done.out("pAdapters"))) {
          this.#opened(hAdapter ?? null, `${done.side} on ${AdapterLuid}`);
        }
        return;
      case "D3DKMTCloseAdapter":
        return void this.#adapters.delete(numberOf(done.in("hAdapter")));
      case "D3DKMTCreateDevice":
        return void this.#devices.set(
          numberOf(done.out("hDevice")),
          this.#adapters.get(numberOf(done.in("hAdapter"))) ?? "",
        );
      case "D3DKMTCreatePagingQueue":
        return void this.#queues.set(numberOf(done.out("hPagingQueue")), {
          device: numberOf(done.in("hDevice")),
          gpu: Number(done.in("PhysicalAdapterIndex")),
          priority: Number(done.in("Priority")),
          operations: [],
        });
      case "D3DKMTCreateContextVirtual":
        return void this.#contexts.set(numberOf(done.out("hContext")), {
          device: numberOf(done.in("hDevice")),
          gpu: firstPhysicalAdapter(Number(done.in("EngineAffinity"))),
          updates: [],
        });
      case "D3DKMTCreateAllocation2":
        for (const { hAllocation } of structsIn(done.out("pAllocationInfo2"))) {
          this.#allocations.set(numberOf(hAllocation ?? null), {
            device: numberOf(done.in("hDevice")),
            isDestroyed: false,
          });
        }
        return;
      case "D3DKMTDestroyDevice":
        return this.#deviceEnds(numberOf(done.in("hDevice")));
      case "ExitProcess":
        for (const name of [...this.spaces.keys()]) {
          if (name.startsWith(`${done.in("Side")} on `)) this.spaces.delete(name);
        }
        return;
      default:
        return this.#rangeCall(done, world);
    }
  }

  #rangeCall(done: Done, world: World): void {
    switch (done.name) {
      case "D3DKMTMapGpuVirtualAddress":
        return this.#map(done, world);
      case "D3DKMTReserveGpuVirtualAddress":
        return this.#reserve(done);
      case "D3DKMTFreeGpuVirtualAddress":
        return this.#space(this.#adapters.get(numberOf(done.in("hAdapter"))) ?? "").free(
          spanOf(done.in("BaseAddress"), done.in("Size")),
        );
      case "D3DKMTUpdateGpuVirtualAddress":
        return this.#update(done);
      case "DxgkCbReserveGpuVirtualAddressRange": {
        const name = world.find("process", numberOf(done.in("hDxgkProcess")))?.data.space ?? "";
        const keeper = done.in("AllowUserModeMapping") === true ? "shared" : "driver";
        const span = spanOf(done.out("StartVirtualAddress"), done.in("SizeInBytes"));
        return this.#space(name).obtain(span, {
          kind: "reserved",
          keeper,
          isZero: false,
          driverProtection: 0n,
          isDone: true,
          ...made(done),
        });
      }
    }
  }

  /** The audit counts a destroy when it is called: what is destroyed and still there is left out. */
  #judgeFree({ event, ins: [adapter = null, base = 0n, size = 0n], side }: TraceEvent, world: World): void {
    const name = this.#adapters.get(numberOf(adapter)) ?? "";
    const oracle = this.spaces.get(name);
    const span = spanOf(base, size);
    const isWhole = isPages(base) && isPages(size) && span.end > span.start;
    if (oracle === undefined || !isWhole || span.end - span.start > 1e6) return;
    if (!name.startsWith(`${canonicalSide(side)} on `) || world.dying.size > 0 || this.unordered.has(name)) return;
    this.frees.set(event, oracle.judgeFree(span));
  }

  #opened(adapter: Value, space: string): void {
    this.#adapters.set(numberOf(adapter), space);
    this.#space(space);
  }

  #map(done: Done, world: World): void {
    const queue = this.#queues.get(numberOf(done.in("hPagingQueue")));
    if (queue === undefined) return;
    const name = this.#devices.get(queue.device) ?? "";
    const rights = BigInt(String(done.in("Protection")));
    const isUnbacked = (rights & (Zero | NoAccess)) !== 0n;
    const allocation = isUnbacked ? 0 : numberOf(done.in("hAllocation"));
    const driverProtection = BigInt(String(done.in("DriverProtection")));
    const offset = Number(done.in("OffsetInPages"));
    const asked = Number(done.in("SizeInPages"));
    const total = world.find("allocation", allocation)?.data.pages.length ?? 0;
    const start = pageOf(done.out("VirtualAddress"));
    const span = { start, end: start + (asked === 0 ? total - offset : asked) };
    const content = (page: number): Content =>
      isUnbacked ? unbacked((rights & Zero) !== 0n ? "zero" : "invalid", driverProtection) : mapped(allocation, {
        page: offset + page - start,
        rights: Number(rights & (Write | Execute)),
        driverProtection,
      });
    const oracle = this.#space(name);
    oracle.obtain(span, {
      kind: "mapped",
      keeper: "process",
      isZero: false,
      driverProtection: 0n,
      isDone: true,
      ...made(done),
    });
    const fence = BigInt(String(done.out("PagingFenceValue")));
    if (fence === 0n) return oracle.commit(span, queue.gpu, content);
    const operation = { gpu: queue.gpu, source: null };
    oracle.queue(span, operation, content);
    queue.operations.push({ space: name, fence, operation, obtained: null });
  }

  #reserve(done: Done): void {
    const queue = this.#queues.get(numberOf(done.in("hPagingQueue")));
    const adapter = this.#adapters.get(numberOf(done.in("hAdapter")));
    const name = queue === undefined ? adapter ?? "" : this.#devices.get(queue.device) ?? "";
    const fence = BigInt(String(done.out("PagingFenceValue")));
    const obtained: Obtained = {
      kind: "reserved",
      keeper: "process",
      isZero: done.in("ReservationType") === SYMBOLS.reservationType.ZERO,
      driverProtection: BigInt(String(done.in("DriverProtection"))),
      isDone: fence === 0n,
      ...made(done),
    };
    this.#space(name).obtain(spanOf(done.out("VirtualAddress"), done.in("Size")), obtained);
    if (fence > 0n) queue?.operations.push({ space: name, fence, operation: null, obtained });
  }

  #update(done: Done): void {
    const isInherited = this.#options["update-driver-protection"] === "inherit";
    const context = this.#contexts.get(numberOf(done.in("hContext")));
    if (context === undefined) return;
    const space = this.#devices.get(context.device) ?? "";
    const oracle = this.#space(space);
    const operations = structsIn(done.in("Operations")).map((each) =>
      queueUpdate(each, { oracle, gpu: context.gpu, isInherited })
    );
    context.updates.push({ event: done.event, space, operations });
  }

  #destroys({ plan, ins }: TraceEvent): void {
    const list = ins[plan?.ins.findIndex(({ name }) => name === "phAllocationList") ?? -1] ?? null;
    for (const each of isArray(list) ? list : []) {
      const allocation = this.#allocations.get(numberOf(each));
      if (allocation !== undefined) allocation.isDestroyed = true;
    }
  }

  /** Destroyed allocations that work still held back end before the device's queues run their rest. */
  #deviceEnds(device: number): void {
    for (const [number, allocation] of this.#allocations) {
      if (allocation.device !== device || !allocation.isDestroyed) continue;
      this.#space(this.#devices.get(device) ?? "").release(number);
      this.#allocations.delete(number);
    }
  }

  /** Queues of higher priority before others, each in its order, as far as its fence says. */
  #runQueues(world: World): void {
    const sorted = [...this.#queues].toSorted(([left, one], [right, other]) =>
      other.priority - one.priority || left - right
    );
    for (const [number, queue] of sorted) {
      const found = world.find("pagingQueue", number);
      const reached = found?.data.completedFence ?? 1n << 64n;
      const due = queue.operations.filter(({ fence }) => fence <= reached);
      queue.operations = queue.operations.filter(({ fence }) => fence > reached);
      for (const { space, operation, obtained } of due) {
        if (obtained !== null) obtained.isDone = true;
        if (operation !== null) this.spaces.get(space)?.run(operation);
      }
      if (found === undefined) this.#queues.delete(number);
    }
  }

  #runUpdates(world: World, doubtful: Map<string, Set<number>>): void {
    const touched: { readonly space: string; readonly context: number; readonly pages: readonly number[] }[] = [];
    for (const [number, context] of this.#contexts) {
      const left = new Set(world.companions.get(number)?.queue.map(({ event }) => event) ?? []);
      const gone = context.updates.filter(({ event }) => !left.has(event));
      context.updates = context.updates.filter(({ event }) => left.has(event));
      const isThere = world.find("context", number) !== undefined;
      const works = world.find("device", context.device)?.data.execution === SYMBOLS.executionState.ACTIVE;
      for (const { space, operations } of gone) {
        const oracle = this.spaces.get(space);
        if (oracle === undefined) continue;
        const pages = operations.flatMap((operation) => oracle.placesOf(operation));
        touched.push({ space, context: number, pages });
        // A device that stopped in this step may have run some of them before.
        if (isThere && !works) this.#doubt(doubtful, space, pages);
        for (const operation of operations) if (isThere && works) oracle.run(operation);
        for (const operation of operations) oracle.cancel(operation);
      }
      if (!isThere) this.#contexts.delete(number);
    }
    if (new Set(touched.map(({ context }) => context)).size < 2) return;
    for (const { space, pages } of touched) this.#doubt(doubtful, space, pages);
  }

  #release(world: World): void {
    for (const [number, { device }] of this.#allocations) {
      if (world.find("allocation", number) !== undefined || world.dying.has(number)) continue;
      this.#allocations.delete(number);
      const name = this.#devices.get(device) ?? "";
      this.spaces.get(name)?.release(number);
    }
  }

  #watchDying(world: World): void {
    for (const [number, { space }] of world.dying) {
      const oracle = this.spaces.get(space);
      if (oracle?.pagesOf(number).some((page) => oracle.isQueued(page)) === true) this.unordered.add(space);
    }
  }

  #doubt(doubtful: Map<string, Set<number>>, space: string, pages: readonly number[]): void {
    const found = doubtful.get(space) ?? new Set();
    for (const page of pages) found.add(page);
    doubtful.set(space, found);
  }

  #adopt(world: World, name: string, pages: ReadonlySet<number>): void {
    const space = world.spaces.get(name);
    if (space === undefined) return;
    this.#adopted += pages.size;
    for (const page of pages) {
      for (let gpu = 0; gpu < space.physicalAdapters; gpu += 1) {
        for (const [, now] of contentsOf(space, gpu, { start: page, end: page + 1 })) {
          this.#space(name).adopt(page, gpu, { now, newest: newestOf(space, gpu, page) });
        }
      }
    }
  }
}

function made({ event }: Done): Pick<Obtained, "event" | "isRecycled"> {
  return { event, isRecycled: false };
}
