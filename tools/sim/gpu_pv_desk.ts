// What a simulated program of a guest knows: what it made through its calls, and what of that has ended. It picks from it for
// acts. It must not know calls.

import { type Act, choose } from "./gpu_pv_act.ts";

/** What a thing is to a program. */
export type MadeKind =
  | "adapter"
  | "device"
  | "context"
  | "queue"
  | "fence"
  | "allocation"
  | "resource"
  | "buffer"
  | "range";

/** What a program made; `handle` is what its calls name it by. */
export interface Made {
  readonly kind: MadeKind;
  readonly handle: number;
  /** The act that made it. */
  readonly place: number;
  /** Of a device, its adapter; of what a device has, the device; null: none. */
  readonly of: Made | null;
  isAlive: boolean;
  /** Of memory: how many pages. */
  readonly pages: number;
  /** Of an allocation: the program's buffer that it is over, null: none. */
  readonly buffer: Made | null;
  /** Of an allocation: its resource. */
  readonly resource: Made | null;
  /** Of a range: where it begins. Of a paging queue or a context: the newest value that it gave. */
  value: bigint;
  /** Of a range: a reservation. Of a fence: a paging queue's. */
  readonly isOther: boolean;
}

type MadeFields = Pick<Made, "kind" | "handle" | "place"> & Partial<Made>;

/** All that a program made. */
export class Desk {
  readonly #all: Made[] = [];
  /** Handles that were never this program's: of the host's own process. */
  readonly foreign: number[] = [];

  add(fields: MadeFields): Made {
    const made = {
      of: null,
      isAlive: true,
      pages: 0,
      buffer: null,
      resource: null,
      value: 0n,
      isOther: false,
      ...fields,
    };
    this.#all.push(made);
    return made;
  }

  /** What lives, of a kind. */
  live(kind: MadeKind): Made[] {
    return this.#all.filter((made) => made.isAlive && made.kind === kind);
  }

  /** Something alive of a kind, of a device where one is named. */
  pick(act: Act, kind: MadeKind, device?: Made | null): Made | undefined {
    return choose(act, this.live(kind).filter(({ of }) => (device ?? null) === null || of === device));
  }

  /** Something of a kind that has ended. */
  ended(act: Act, kind: MadeKind): Made | undefined {
    return choose(act, this.#all.filter((made) => !made.isAlive && made.kind === kind));
  }

  /** Whatever lives. */
  any(act: Act): Made | undefined {
    return choose(act, this.#all.filter(({ isAlive, handle }) => isAlive && handle !== 0));
  }

  /** A thing ends, and what is of it. */
  end(made: Made): void {
    made.isAlive = false;
    for (const each of this.#all) if (each.isAlive && (each.of === made || each.resource === made)) this.end(each);
  }
}
