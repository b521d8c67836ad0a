// What a capture shows to be alive: things by kind and key, and for address ranges by place.
// It must not know rules, events or what kinds there are.

import { PAGE_BYTES } from "../api/mod.ts";
import { RANGE_LIMIT, RangeMap } from "../range/mod.ts";
import type { Evidence } from "./finding.ts";

/** Keys of a kind that ended and are remembered; the oldest goes first, and its next end counts as the first. */
export const KEYS_KEPT = 65536;

/** A half-open range of addresses in bytes. */
export interface ObservedSpan {
  readonly start: bigint;
  readonly end: bigint;
}

/** What names a thing while it lives. */
export interface ThingName {
  readonly thing: string;
  readonly key: string;
}

/** A thing alive. */
export interface LiveThing extends ThingName {
  /** Its first key: for a range, the address space that it lies in. */
  readonly space: string;
  /** It was there when the capture began. */
  readonly isRundown: boolean;
  readonly began: Evidence;
  /** Null where it is no range. */
  readonly span: ObservedSpan | null;
}

interface Kind {
  readonly live: Map<string, LiveThing>;
  readonly spaces: Map<string, Space>;
  readonly seen: Set<string>;
}

/** Ranges of one space: by place, where the newest hides what is below, and all of them. */
interface Space {
  readonly places: RangeMap<LiveThing>;
  readonly things: Set<LiveThing>;
}

/** All things alive. */
export class LiveThings {
  readonly #kinds = new Map<string, Kind>();
  readonly #keysKept: number;

  constructor(keysKept: number = KEYS_KEPT) {
    this.#keysKept = keysKept;
  }

  /** Things alive, by kind in the order first seen, oldest first. */
  *all(): IterableIterator<LiveThing> {
    for (const { live } of this.#kinds.values()) yield* live.values();
  }

  /** Adds a thing; returns the one of the same name that it replaces. */
  add(thing: LiveThing): LiveThing | undefined {
    const replaced = this.end(thing);
    this.#kindOf(thing).live.set(thing.key, thing);
    const pages = pagesOf(thing.span);
    if (pages === null) return replaced;
    const kind = this.#kindOf(thing);
    const space = kind.spaces.get(thing.space) ?? { places: new RangeMap<LiveThing>(), things: new Set<LiveThing>() };
    kind.spaces.set(thing.space, space);
    space.things.add(thing);
    space.places.carve(pages.start, pages.end);
    space.places.insert({ ...pages, value: thing });
    return replaced;
  }

  /** Adds a thing unless one of its name lives. */
  addUnlessThere(thing: LiveThing): void {
    if (!this.#kindOf(thing).live.has(thing.key)) this.add(thing);
  }

  /** One of the same kind and space that shares an address with it. */
  overlapping(thing: LiveThing): LiveThing | undefined {
    const pages = pagesOf(thing.span);
    const space = this.#kindOf(thing).spaces.get(thing.space);
    return pages === null ? undefined : space?.places.overlapping(pages.start, pages.end)[0]?.value;
  }

  /** Ends a thing, or undefined where none of its name lives. */
  end({ thing, key }: ThingName): LiveThing | undefined {
    const kind = this.#kinds.get(thing);
    const ended = kind?.live.get(key);
    if (kind === undefined || ended === undefined) return undefined;
    kind.live.delete(key);
    this.see(ended);
    this.#leave(kind, ended);
    return ended;
  }

  /** Ends all ranges of all kinds that lie in a space. */
  endAllIn(space: string): readonly LiveThing[] {
    const inside = [...this.#kinds.values()].flatMap(({ spaces }) => [...(spaces.get(space)?.things ?? [])]);
    for (const thing of inside) this.end(thing);
    return inside;
  }

  /** Whether a thing of this name was seen to end. */
  wasSeen({ thing, key }: ThingName): boolean {
    return this.#kinds.get(thing)?.seen.has(key) ?? false;
  }

  /** Remembers that a thing of this name ended. */
  see(name: ThingName): void {
    const { seen } = this.#kindOf(name);
    seen.delete(name.key);
    seen.add(name.key);
    const [oldest] = seen;
    if (seen.size > this.#keysKept && oldest !== undefined) seen.delete(oldest);
  }

  #leave(kind: Kind, ended: LiveThing): void {
    const space = kind.spaces.get(ended.space);
    const pages = pagesOf(ended.span);
    if (space === undefined || pages === null) return;
    for (const place of space.places.overlapping(pages.start, pages.end)) {
      if (place.value === ended) space.places.remove(place.start);
    }
    space.things.delete(ended);
    if (space.things.size === 0) kind.spaces.delete(ended.space);
  }

  #kindOf({ thing }: ThingName): Kind {
    const known = this.#kinds.get(thing);
    if (known !== undefined) return known;
    const made: Kind = { live: new Map(), spaces: new Map(), seen: new Set() };
    this.#kinds.set(thing, made);
    return made;
  }
}

const PAGE = BigInt(PAGE_BYTES);

/** The pages that a span touches; null where it is none, reversed or empty (a capture can hold anything). */
function pagesOf(span: ObservedSpan | null): { readonly start: number; readonly end: number } | null {
  if (span === null || span.end <= span.start) return null;
  const end = (span.end + PAGE - 1n) / PAGE;
  const pages = { start: Number(span.start / PAGE), end: Number(end) };
  return pages.end <= RANGE_LIMIT && pages.start < pages.end ? pages : null;
}
