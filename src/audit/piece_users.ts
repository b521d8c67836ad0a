// Who uses which pages of buffers. A page belongs to one buffer while that lives, so most users are told apart by their
// buffers alone; once a user outlives its buffer, whose pages are given out again, all are looked up by page.
// It must not know what users are.

import { type Extent, runsOf } from "./extents.ts";
import { NumberMap } from "./number_map.ts";
import { PageUsers, sharedPages } from "./page_runs.ts";
import type { ValuesByNumber } from "./row_values.ts";

/** What is known of buffers and users. */
export interface UserFacts {
  /** Whether a buffer lives. */
  isLive(buffer: number): boolean;
  /** The pages of a user. */
  extentOf(user: number): Extent | undefined;
  /** A number that is higher the later a user was added. */
  orderOf(user: number): number;
}

/** One user. */
interface PieceUser {
  readonly user: number;
  readonly extent: Extent;
  readonly isMarked: boolean;
}

/** Several users of one buffer, and which of its pages are whose. */
export interface Crowd {
  readonly users: Map<number, PieceUser>;
  readonly byPage: PageUsers;
}

/** A user that shares pages, and how many. */
export interface Sharer {
  readonly user: number;
  readonly pages: number;
}

/** Users of pages; users are numbers, pages may have many. Who asks for marked users pays for no others. */
export class PieceUsers {
  readonly #facts: UserFacts;
  /** By buffer: its only user, `-1 - user` where it is marked, or all of them: a buffer with one user keeps no thing. */
  readonly #byBuffer: ValuesByNumber<number | Crowd>;
  /** All users by page, once pages of a buffer that is gone had a user. */
  #byPage: PageUsers | null = null;

  /** `byBuffer`: where it stands who uses a buffer. */
  constructor(facts: UserFacts, byBuffer: ValuesByNumber<number | Crowd> = new NumberMap<number | Crowd>()) {
    this.#facts = facts;
    this.#byBuffer = byBuffer;
  }

  /** Whether there are none. */
  get isEmpty(): boolean {
    return this.#byPage === null && this.#byBuffer.size === 0;
  }

  /** Adds a user of a part of one live buffer that nobody else uses; false, and nothing is done, where that is not so. */
  addAlone(buffer: number, user: number, { isMarked }: { readonly isMarked: boolean }): boolean {
    if (this.#byPage !== null || this.#byBuffer.has(buffer)) return false;
    this.#byBuffer.set(buffer, isMarked ? -1 - user : user);
    return true;
  }

  /** Removes a user that was added alone and still is; false, and nothing is done, where that is not so. */
  removeAlone(buffer: number, user: number): boolean {
    const held = this.#byPage === null ? this.#byBuffer.get(buffer) : undefined;
    return typeof held === "number" && userOf(held) === user && this.#byBuffer.delete(buffer);
  }

  /** Adds a user that is none yet, and its pages. */
  add(user: number, extent: Extent, { isMarked = false }: { readonly isMarked?: boolean } = {}): void {
    const byPage = this.#byPageFor(extent);
    if (byPage !== null) put(byPage, { user, extent, isMarked });
    else for (const buffer of extent.buffers) this.#join(buffer, { user, extent, isMarked });
  }

  /** Removes a user, which was added with this extent. */
  remove(user: number, { buffers }: Extent): void {
    if (this.#byPage !== null) this.#byPage.remove(user);
    else for (const buffer of buffers) this.#leave(buffer, user);
  }

  /** A buffer is gone: its pages may be given out again. */
  freed(buffer: number): void {
    if (this.#byPage === null && this.#byBuffer.has(buffer)) this.#indexAll();
  }

  /** Users of any of these pages with how many they share: by page, those that came first first. */
  sharing(extent: Extent, { isMarked = false }: { readonly isMarked?: boolean } = {}): Iterable<Sharer> {
    if (this.isEmpty) return NONE;
    const byPage = this.#byPageFor(extent);
    if (byPage !== null) return byPage.sharing(runsOf(extent.pieces), { isMarked });
    const { buffers } = extent;
    const [only] = buffers;
    if (only !== undefined && buffers.length === 1) return this.#sharingOf(only, extent, isMarked);
    return this.#sharingAll(extent, isMarked);
  }

  /** Whether anybody uses any of these pages. */
  isShared(extent: Extent): boolean {
    for (const _ of this.sharing(extent)) return true;
    return false;
  }

  #sharingOf(buffer: number, extent: Extent, isMarked: boolean): Iterable<Sharer> {
    const held = this.#byBuffer.get(buffer);
    if (held === undefined) return NONE;
    if (typeof held !== "number") return held.byPage.sharing(runsOf(extent.pieces), { isMarked });
    if (isMarked && held >= 0) return NONE;
    const user = userOf(held);
    const own = this.#facts.extentOf(user);
    const pages = own === undefined ? 0 : sharedPages(runsOf(own.pieces), runsOf(extent.pieces));
    return pages === 0 ? NONE : [{ user, pages }];
  }

  *#sharingAll(extent: Extent, isMarked: boolean): IterableIterator<Sharer> {
    const seen = new Set<number>();
    for (const buffer of extent.buffers) {
      for (const sharer of this.#sharingOf(buffer, extent, isMarked)) {
        if (seen.has(sharer.user)) continue;
        seen.add(sharer.user);
        yield sharer;
      }
    }
  }

  /** The index of all users, where there is one or these pages want one. */
  #byPageFor({ buffers }: Extent): PageUsers | null {
    if (this.#byPage !== null) return this.#byPage;
    for (const buffer of buffers) if (!this.#facts.isLive(buffer)) return this.#indexAll();
    return null;
  }

  #join(buffer: number, added: PieceUser): void {
    const held = this.#byBuffer.get(buffer);
    if (held === undefined) this.#byBuffer.set(buffer, added.isMarked ? -1 - added.user : added.user);
    else if (typeof held !== "number") enter(held, added);
    else {
      const crowd = { users: new Map<number, PieceUser>(), byPage: new PageUsers() };
      for (const each of [...this.#usersOf(held), added]) enter(crowd, each);
      this.#byBuffer.set(buffer, crowd);
    }
  }

  #leave(buffer: number, user: number): void {
    const held = this.#byBuffer.get(buffer);
    if (held === undefined) return;
    if (typeof held !== "number") {
      held.users.delete(user);
      held.byPage.remove(user);
      if (held.users.size > 0) return;
    } else if (userOf(held) !== user) return;
    this.#byBuffer.delete(buffer);
  }

  #indexAll(): PageUsers {
    const users = new Map(
      this.#byBuffer.values().flatMap((held) => this.#usersOf(held)).map((each) => [each.user, each]),
    );
    const byPage = new PageUsers();
    const { orderOf } = this.#facts;
    for (const each of [...users.values()].sort((left, right) => orderOf(left.user) - orderOf(right.user))) {
      put(byPage, each);
    }
    this.#byPage = byPage;
    this.#byBuffer.clear();
    return byPage;
  }

  #usersOf(held: number | Crowd): readonly PieceUser[] {
    if (typeof held !== "number") return [...held.users.values()];
    const user = userOf(held);
    const extent = this.#facts.extentOf(user);
    return extent === undefined ? [] : [{ user, extent, isMarked: held < 0 }];
  }
}

/** The user behind what stands for it. */
function userOf(held: number): number {
  return held < 0 ? -1 - held : held;
}

const NONE: readonly Sharer[] = [];

function enter({ users, byPage }: Crowd, added: PieceUser): void {
  users.set(added.user, added);
  put(byPage, added);
}

function put(byPage: PageUsers, { user, extent, isMarked }: PieceUser): void {
  byPage.add(user, runsOf(extent.pieces), { isMarked });
}
