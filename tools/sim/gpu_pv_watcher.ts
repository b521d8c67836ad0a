// What is checked while a guest's program runs over the paravirtualised path: between inputs what holds of every world of
// channels and of GPUs, and what holds between the path's two sides. It must not know what the program does.

import {
  dxgCommandIn,
  dxgCommandName,
  findIoctl,
  hasSucceeded,
  isArray,
  isRef,
  type ModelOptions,
  refsIn,
  type Value,
} from "../../src/api/mod.ts";
import type { World } from "../../src/engine/mod.ts";
import type { OpenGuestAdapter } from "../../src/gpupv/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";
import { GPU_INVARIANTS, GPU_SLOW_INVARIANTS } from "./gpu_invariants.ts";
import { GpuPages } from "./gpu_pages.ts";
import { pvDisagreements } from "./gpu_pv_audit_oracle.ts";
import { IoctlOracle } from "./gpu_pv_ioctl_oracle.ts";
import { PV_INVARIANTS, PV_QUIET_INVARIANTS, whatIsLeft } from "./gpu_pv_invariants.ts";
import { INVARIANTS, MEMORY_INVARIANTS, watched } from "./invariants.ts";
import { type Disagreement, firstTrouble, type Trouble, type Watcher } from "./simulated_world.ts";

const NONE: ReadonlySet<number> = new Set();
const WORD = 4;
/** How often, in inputs, both sides are compared while something is under way. */
const COMPARE_EVERY = 7;
/** An ioctl that may be under way for long, and changes nothing. */
const WAIT = "WaitForSynchronizationObjectFromCpu";
/** Calls and messages that end something. */
const ENDS = /Destroy|Close/;

/** Watches a run. */
export class GpuPvWatcher implements Watcher {
  readonly #pages: GpuPages;
  readonly #ioctls = new IoctlOracle();
  readonly #isOneThread: boolean;
  /** The process that is watched, null: none that has begun and not begun to exit. */
  #guest: OpenGuestAdapter | null = null;
  #side = "";
  #touched: ReadonlySet<number> = NONE;
  readonly #lost = new Set<number>();
  readonly #unlockFailed = new Set<number>();
  /** What waits, by event. */
  readonly #entered = new Map<number, TraceEvent>();
  #inputs = 0;
  #world: World | null = null;
  #isLost = false;

  constructor(options: ModelOptions, { isOneThread }: { readonly isOneThread: boolean }) {
    this.#pages = new GpuPages(options);
    this.#isOneThread = isOneThread;
  }

  /** A process of the guest has begun; GPADLs that a rogue driver touches are not compared. */
  watch(guest: OpenGuestAdapter, touched: ReadonlySet<number>): void {
    this.#guest = guest;
    this.#touched = touched;
    const { host, process: { transport } } = guest;
    this.#side = `umd#${host.processes.get(transport.process)?.number ?? 0}`;
    this.#lost.clear();
    this.#unlockFailed.clear();
    this.#isLost = false;
  }

  /** It begins to exit: its handles are not compared any more. */
  exits(): void {
    this.#guest = null;
    this.#ioctls.exits();
  }

  /** It has exited; what is left of it, null: nothing. */
  ended(world: World, guest: OpenGuestAdapter): Trouble | null {
    this.#ioctls.ended();
    const message = this.#isLost ? null : whatIsLeft({ world, guest, touched: this.#touched }, this.#side);
    return message === null ? null : { check: "nothing outlives its process", message };
  }

  event(event: TraceEvent): void {
    this.#pages.event(event);
    this.#ioctls.event(event);
    const { kind, plan, of, side } = event;
    // A channel goes down: from now on either side ends things by itself.
    if (plan?.name === "VmbChannelDisable" && side !== "vmbus") this.exits();
    if (kind === "enter") this.#entered.set(event.event, event);
    if (plan === null || (kind !== "call" && kind !== "leave")) return;
    const ins = kind === "leave" ? this.#entered.get(of)?.ins ?? [] : event.ins;
    this.#entered.delete(of);
    if (event.outcome !== null && !didItsWork(event)) this.#failed(plan.name, ins, event.side);
  }

  /** What did not end is lost; a message that was not sent may be about anything that it names. */
  #failed(name: string, ins: readonly Value[], side: string): void {
    if (side === this.#side && ENDS.test(name)) {
      for (const { handle } of ins.flatMap((value) => refsIn(value))) this.#lost.add(handle);
      for (const value of ins.flatMap((each) => isArray(each) ? each : [each])) {
        if (typeof value === "number") this.#lost.add(value);
      }
    }
    if (side === this.#side && name === "D3DKMTUnlock2" && isRef(ins[1])) this.#unlockFailed.add(ins[1].handle);
    const [, buffer] = ins;
    if (name !== "VmbChannelSendSynchronousRequest" || !(buffer instanceof Uint8Array)) return;
    const command = dxgCommandName(dxgCommandIn(buffer)?.id ?? -1) ?? "";
    if (command === "DestroyProcess") this.#isLost = true;
    if (command === "Unlock2") { for (const word of wordsIn(buffer)) this.#unlockFailed.add(word); }
    if (ENDS.test(command)) { for (const word of wordsIn(buffer)) this.#lost.add(word); }
  }

  check(world: World, { isSlow }: { readonly isSlow: boolean }): Trouble | null {
    this.#inputs += 1;
    this.#world = world;
    this.#pages.follow(world);
    const { trouble: message } = this.#ioctls;
    if (message !== null) return { check: "ioctls come to what the rules say", message };
    const channels = firstTrouble([INVARIANTS, isSlow ? MEMORY_INVARIANTS : {}], watched(world, NONE));
    const trouble = channels ?? firstTrouble([GPU_INVARIANTS, isSlow ? GPU_SLOW_INVARIANTS : {}], world) ??
      this.#compare(world);
    if (trouble !== null || !isSlow) return trouble;
    const page = this.#pages.difference(world);
    return page === null ? null : { check: "pages are as the oracle has them", message: page };
  }

  /** Compares both sides. */
  #compare(world: World): Trouble | null {
    const guest = this.#guest;
    const isQuiet = nothingIsUnderWay(world);
    if (guest === null || (!isQuiet && this.#inputs % COMPARE_EVERY !== 0)) return null;
    const sight = {
      world,
      guest,
      lost: this.#lost,
      touched: this.#touched,
      unlockFailed: this.#unlockFailed,
      isOneThread: this.#isOneThread,
    };
    return firstTrouble([PV_INVARIANTS, isQuiet ? PV_QUIET_INVARIANTS : {}], sight) ??
      (isQuiet ? this.#compareHandles(guest) : null);
  }

  /** The guest's table is what results named, and nothing else. */
  #compareHandles({ process: { handles } }: OpenGuestAdapter): Trouble | null {
    const kept = [...handles.objects, ...handles.adapters.map(({ handle }) => ({ kind: "adapter", handle }))];
    const own = kept.map(({ kind, handle }) => `${kind} ${handle.toString(16)}`).toSorted().join();
    const adapters = [...this.#ioctls.adapters].map((handle) => `adapter ${handle.toString(16)}`);
    const others = [...this.#ioctls.handles].map(([handle, { kind }]) => `${kind} ${handle.toString(16)}`);
    const named = [...adapters, ...others].toSorted();
    if (own === named.join()) return null;
    return { check: "the guest's handles are what results named", message: `${own} and ${named.join()}` };
  }

  disagreements(...[events, { findings, options }]: Parameters<Watcher["disagreements"]>): readonly Disagreement[] {
    const world = this.#world;
    return world === null ? [] : pvDisagreements(events, { findings, options, pages: this.#pages, world });
  }
}

function didItsWork({ outcome }: TraceEvent): boolean {
  return outcome !== null && hasSucceeded(outcome);
}

/** No ioctl but a wait is served, and no message. */
function nothingIsUnderWay({ running, pending }: World): boolean {
  return [...running, ...pending].every(({ name, ins: [command] }) =>
    name === "EvtDxgIoctl"
      ? typeof command === "number" && findIoctl(command)?.name === WAIT
      : name !== "EvtVmbChannelProcessPacket"
  );
}

function wordsIn(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: Math.floor(bytes.length / WORD) }, (_, index) => view.getUint32(index * WORD, true));
}
