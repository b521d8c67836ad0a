// What a simulated program of a guest knows: what it made through its calls, and what of that has ended. It picks from it for
// acts. It must not know calls.

import { type Act, choose } from "./gpu_pv_act.ts";

/** What a program made; `handle` is what its calls name it by. */
export interface Made {
  readonly kind: "adapter" | "device" | "context" | "queue" | "fence" | "allocation" | "resource" | "buffer" | "range";
  readonly handle: number;
  /** The act that made it. */
  readonly place: number;
  /** The device, or the adapter of a device, that it is of; null: none. */
  readonly of: Made | null;
  isAlive: boolean;
  /** Of memory: how many pages. */
  readonly pages: number;
  /** Of an allocation: the program's buffer that it is over, null: none. */
  readonly buffer: Made | null;
  /** Of an allocation: its resource. Of a paging queue: its fence. */
  readonly partner: Made | null;
  /** Of a range: where it begins. */
  readonly address: bigint;
}

type MadeFields = Pick<Made, "kind" | "handle" | "place"> & Partial<Made>;

/** All that a program made. */
export class Desk {
  readonly #all: Made[] = [];

  add(fields: MadeFields): Made {
    const made = { of: null, isAlive: true, pages: 0, buffer: null, partner: null, address: 0n, ...fields };
    this.#all.push(made);
    return made;
  }

  /** What lives, of a kind. */
  live(kind: Made["kind"]): Made[] {
    return this.#all.filter((made) => made.isAlive && made.kind === kind);
  }

  /** What an act takes of a kind: something alive, of a device where one is named; seldom something that has ended. */
  pick(act: Act, kind: Made["kind"], device?: Made): Made | undefined {
    return choose(act, this.live(kind).filter(({ of }) => device === undefined || of === device));
  }

  /** Something of a kind that has ended. */
  ended(act: Act, kind: Made["kind"]): Made | undefined {
    return choose(act, this.#all.filter((made) => !made.isAlive && made.kind === kind));
  }

  /** A thing ends, and what is of it. */
  end(made: Made): void {
    made.isAlive = false;
    for (const each of this.#all) if (each.isAlive && each.of === made) this.end(each);
  }
}
