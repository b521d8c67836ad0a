// What an act of a simulated program works with: its thread, what the program knows, and handles that are mostly right.
// It must not know calls.

import { type ProgramContext, Random, type Thread } from "../../src/driver/mod.ts";
import type { Engine } from "../../src/engine/mod.ts";
import type { GuestAdapter, OpenGuestAdapter } from "../../src/gpupv/mod.ts";
import type { Act } from "./gpu_pv_act.ts";
import type { Desk, Made, MadeKind } from "./gpu_pv_desk.ts";

/** A page in bytes. */
export const PAGE = 4096;
/** Values that name nothing, or nothing of a program's. */
const STRANGE = [0, 1, 0x40, 0x4000_0040, 0x4000_0fc0, 0x8000_1000, 0xffff_ffff];
const WAYS = 4;

/** What all acts of a run share. */
export interface Table {
  readonly context: ProgramContext;
  /** For the GPU alone: it knows what it was given. */
  readonly engine: Engine;
  readonly guest: OpenGuestAdapter;
  readonly desk: Desk;
  /** One handle in so many is wrong. */
  readonly careless: number;
  /** GPADLs that a rogue driver has touched. */
  readonly touched: Set<number>;
  /** The channel that was taken down, if any was. */
  readonly down: Set<number>;
  /** What goes on beside the program's threads, to be over before the run is. */
  readonly beside: Promise<void>[];
}

/** What a call names; `made` is null where it is wrong. */
export interface Named {
  readonly handle: number;
  readonly made: Made | null;
}

/** The hand of one act. */
export class Hand {
  readonly act: Act;
  readonly thread: Thread;
  readonly table: Table;
  readonly random: Random;
  readonly dxg: GuestAdapter;
  /** What the act needed and did not find; null: nothing. */
  missing: MadeKind | null = null;

  constructor(act: Act, thread: Thread, table: Table) {
    this.act = act;
    this.thread = thread;
    this.table = table;
    this.random = new Random(act.seed);
    this.dxg = table.guest.on(thread);
  }

  get desk(): Desk {
    return this.table.desk;
  }

  /** Whether the program makes a mistake here. */
  isCareless(): boolean {
    return this.random.below(this.table.careless) === 0;
  }

  /** Something of a kind, of a device where one is named; null: there is none. */
  name(kind: MadeKind, device?: Made | null): Named | null {
    if (this.isCareless()) return { handle: this.#wrong(kind), made: null };
    const made = this.desk.pick(this.act, kind, device);
    if (made === undefined) this.missing ??= kind;
    return made === undefined ? null : { handle: made.handle, made };
  }

  /** One to three different ones of a kind, of the first one's device. */
  names(kind: MadeKind, device?: Made | null): Named[] {
    const first = this.name(kind, device);
    if (first === null) return [];
    const others = this.desk.live(kind).filter(({ of, handle }) => of === first.made?.of && handle !== first.handle);
    const more = others.filter(() => this.random.below(4) === 0).slice(0, 2);
    const again = this.isCareless() ? [first] : [];
    return [first, ...more.map((made) => ({ handle: made.handle, made })), ...again];
  }

  /** Something was made. */
  made(fields: Omit<Parameters<Desk["add"]>[0], "place">): Made {
    return this.desk.add({ ...fields, place: this.act.place });
  }

  #wrong(kind: MadeKind): number {
    switch (this.random.below(WAYS)) {
      case 0:
        return this.desk.ended(this.act, kind)?.handle ?? 0;
      case 1:
        return this.desk.any(this.act)?.handle ?? 0;
      case 2:
        return this.desk.foreign.length === 0 ? 0 : this.random.pick(this.desk.foreign);
      default:
        return this.random.pick(STRANGE);
    }
  }
}

/** What an act does. */
export type Doing = (hand: Hand) => Promise<void> | void;
