// The callback handlers that a program registered: each by the channel or the packet that it belongs to, for as long as that
// can be called back. The one kernel driver's belong to no object and stay. It must not know when anything is called.

import { type CallbackFunction, type CallPlan, isRef, printObject, type Ref, type Value } from "../api/mod.ts";
import { type CallArguments, functionsIn, memberNameOf } from "./arguments.ts";

/** Objects below this number are not worth looking through. */
const FEW_OBJECTS = 64;

/** The handlers of one object by the member or the parameter that registered them. */
interface Owned {
  readonly owner: Ref | null;
  readonly handlers: Map<string, CallbackFunction>;
}

/** All handlers of a run. */
export class Handlers {
  readonly #isNeeded: (object: Ref) => boolean;
  readonly #owned = new Map<string, Owned>();
  /** With so many objects those that ended are forgotten: twice as many as there were left the last time. */
  #limit = FEW_OBJECTS;

  /** `isNeeded` says whether an object lives, or is due a callback: its end may have been a call, its owner's end or the library. */
  constructor(isNeeded: (object: Ref) => boolean) {
    this.#isNeeded = isNeeded;
  }

  /** Objects whose handlers are kept: at most twice as many as live, or a few. */
  get size(): number {
    return this.#owned.size;
  }

  /** Keeps the functions among a call's arguments for the channel or the packet that the call names. */
  register(plan: CallPlan, args: CallArguments, ins: readonly Value[]): void {
    const owner = ins.find((value) => isRef(value) && (value.kind === "channel" || value.kind === "packet"));
    if (!isRef(owner) && plan.declaration.endpoint !== "kmd") return;
    for (const [name, handler] of functionsIn(plan.ins, args)) {
      this.#of(isRef(owner) ? owner : null).handlers.set(name, handler);
    }
  }

  /** The handler of a callback with these arguments, or undefined: the driver registered none. */
  find(callback: string, ins: readonly Value[]): CallbackFunction | undefined {
    const [subject] = ins;
    const isKernelDrivers = isRef(subject) && subject.kind === "process";
    const owner = isRef(subject) && !isKernelDrivers ? subject : null;
    return this.#owned.get(keyOf(owner))?.handlers.get(memberNameOf(callback));
  }

  #of(owner: Ref | null): Owned {
    const key = keyOf(owner);
    const known = this.#owned.get(key);
    if (known !== undefined) return known;
    if (this.#owned.size >= this.#limit) this.#forgetEnded();
    const made = { owner, handlers: new Map<string, CallbackFunction>() };
    this.#owned.set(key, made);
    return made;
  }

  /** Now and then all at once, so that an object costs the same however many there are. */
  #forgetEnded(): void {
    for (const [key, { owner }] of this.#owned) {
      if (owner !== null && !this.#isNeeded(owner)) this.#owned.delete(key);
    }
    this.#limit = Math.max(FEW_OBJECTS, 2 * this.#owned.size);
  }
}

function keyOf(owner: Ref | null): string {
  return owner === null ? "" : printObject(owner);
}
