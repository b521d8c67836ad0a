// Saves and restores of each channel, folded from calls: what is open, how the last step answered, what was saved. It judges
// nothing. Of what was saved only the newest pieces are kept.

import { type CallName, type Ref, STATUS } from "../api/mod.ts";
import type { CallView } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import { evidenceOf } from "./join.ts";
import type { PlanShape } from "./plan_shape.ts";

/** The calls of a save and a restore: no effect tells them. */
export const SAVE_CALLS = {
  begin: "VmbChannelSaveBegin",
  continue: "VmbChannelSaveContinue",
  end: "VmbChannelSaveEnd",
  restore: "VmbChannelRestoreFromBuffer",
} as const satisfies Readonly<Record<string, CallName>>;

/** What a call does to a save. */
export type SaveRole = keyof typeof SAVE_CALLS;

const ROLES: ReadonlyMap<string, SaveRole> = new Map([
  [SAVE_CALLS.begin, "begin"],
  [SAVE_CALLS.continue, "continue"],
  [SAVE_CALLS.end, "end"],
  [SAVE_CALLS.restore, "restore"],
]);

/** The role of a call, or null: it is about no save. */
export function saveRoleOf({ plan }: PlanShape): SaveRole | null {
  return ROLES.get(plan.name) ?? null;
}

/** Saved pieces that are kept, and how many bytes of them. */
const PIECES_KEPT = 64;
const BYTES_KEPT = 1 << 22;

/** A save that is open. */
export interface Save {
  readonly channel: Ref;
  readonly begun: Evidence;
  /** Its last SaveContinue. */
  last: { readonly status: number; readonly made: Evidence } | null;
}

/** All saves and restores. */
export class Saves {
  readonly #open = new Map<number, Save>();
  readonly #more = new Map<number, { readonly channel: Ref; readonly made: Evidence }>();
  #pieces: Uint8Array[] = [];

  /** The open save of a channel. */
  openOf({ number }: Ref): Save | undefined {
    return this.#open.get(number);
  }

  /** Open saves, oldest first. */
  open(): IterableIterator<Save> {
    return this.#open.values();
  }

  /** The restore that said that more chunks exist, when none followed yet. */
  moreOf({ number }: Ref): Evidence | null {
    return this.#more.get(number)?.made ?? null;
  }

  /** The same for every channel. */
  mores(): IterableIterator<{ readonly channel: Ref; readonly made: Evidence }> {
    return this.#more.values();
  }

  /** A rule has said what became of it. */
  forgetMore({ number }: Ref): void {
    this.#more.delete(number);
  }

  /** Takes a call that returned. */
  returned(call: CallView, role: SaveRole): void {
    const channel = call.objectAt(call.shape.at.channel);
    if (channel === null) return;
    const { number } = channel;
    switch (role) {
      case "begin":
        if (call.succeeded && !this.#open.has(number)) {
          this.#open.set(number, { channel, begun: evidenceOf(call, "begun"), last: null });
        }
        return;
      case "continue":
        return this.#continued(call, this.#open.get(number));
      case "end":
        if (call.succeeded) this.#open.delete(number);
        return;
      case "restore":
        this.#more.delete(number);
        if (statusOf(call) === STATUS.STATUS_MORE_PROCESSING_REQUIRED) {
          this.#more.set(number, { channel, made: evidenceOf(call, "restored") });
        }
    }
  }

  /** A channel was cleaned up; returns its save that nobody ended. */
  channelEnded({ number }: Ref): Save | null {
    const save = this.#open.get(number) ?? null;
    this.#open.delete(number);
    this.#more.delete(number);
    return save;
  }

  /** Whether bytes are a part of what was saved in whole pieces, and no whole pieces themselves. */
  isSplit(bytes: Uint8Array): boolean {
    let rest = bytes;
    for (let piece = this.#startOf(rest); piece !== undefined; piece = this.#startOf(rest)) {
      rest = rest.subarray(piece.length);
    }
    return rest.length > 0 && this.#pieces.some((piece) => piece.length > rest.length && contains(piece, rest));
  }

  #startOf(bytes: Uint8Array): Uint8Array | undefined {
    return this.#pieces.find((piece) => piece.length > 0 && hasAt(bytes, piece, 0));
  }

  #continued(call: CallView, save: Save | undefined): void {
    if (save !== undefined) save.last = { status: statusOf(call), made: evidenceOf(call, "continued") };
    const buffer = call.out("bytes");
    const filled = call.out("byteCount");
    if (!(buffer instanceof Uint8Array) || typeof filled !== "number" || filled === 0) return;
    this.#pieces.push(buffer.subarray(0, filled));
    let kept = this.#pieces.reduce((sum, { length }) => sum + length, 0);
    while (this.#pieces.length > PIECES_KEPT || kept > BYTES_KEPT) kept -= this.#pieces.shift()?.length ?? kept;
  }
}

/** The status of a call that returned. */
export function statusOf({ outcome }: CallView): number {
  return outcome?.form === "status" ? outcome.status : STATUS.STATUS_SUCCESS;
}

function contains(whole: Uint8Array, part: Uint8Array): boolean {
  for (let start = 0; start + part.length <= whole.length; start += 1) if (hasAt(whole, part, start)) return true;
  return false;
}

function hasAt(whole: Uint8Array, part: Uint8Array, start: number): boolean {
  if (start + part.length > whole.length) return false;
  for (let index = 0; index < part.length; index += 1) if (whole[start + index] !== part[index]) return false;
  return true;
}
