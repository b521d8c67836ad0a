// Who uses which pages of buffers. A page belongs to one buffer while that lives, so most users are told apart by their
// buffers alone; once a user outlives its buffer, whose pages are given out again, all are looked up by page.
// It must not know what users are.

import { type Extent, runsOf } from "./guest_pages.ts";
import { NumberMap } from "./number_map.ts";
import { PageUsers, sharedPages } from "./page_runs.ts";

/** One user. */
interface PieceUser {
  readonly user: number;
  readonly extent: Extent;
  readonly isMarked: boolean;
  /** How many users had been added before. */
  readonly order: number;
}

/** Several users of one buffer, and which of its pages are whose. */
interface Crowd {
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
  readonly #isLive: (buffer: number) => boolean;
  /** By buffer: its only user, or all of them. */
  readonly #byBuffer = new NumberMap<PieceUser | Crowd>();
  /** All users by page, once pages of a buffer that is gone had a user. */
  #byPage: PageUsers | null = null;
  #added = 0;

  /** `isLive` says whether a buffer lives. */
  constructor(isLive: (buffer: number) => boolean) {
    this.#isLive = isLive;
  }

  /** Adds a user that is none yet, and its pages. */
  add(user: number, extent: Extent, { isMarked = false }: { readonly isMarked?: boolean } = {}): void {
    const added = { user, extent, isMarked, order: this.#added };
    this.#added += 1;
    const byPage = this.#byPageFor(extent);
    if (byPage !== null) put(byPage, added);
    else for (const buffer of extent.buffers) this.#join(buffer, added);
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
    if (this.#byPage === null && this.#byBuffer.size === 0) return NONE;
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
    const runs = runsOf(extent.pieces);
    if ("users" in held) return held.byPage.sharing(runs, { isMarked });
    const pages = isMarked && !held.isMarked ? 0 : sharedPages(runsOf(held.extent.pieces), runs);
    return pages === 0 ? NONE : [{ user: held.user, pages }];
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
    for (const buffer of buffers) if (!this.#isLive(buffer)) return this.#indexAll();
    return null;
  }

  #join(buffer: number, added: PieceUser): void {
    const held = this.#byBuffer.get(buffer);
    if (held === undefined) this.#byBuffer.set(buffer, added);
    else if ("users" in held) enter(held, added);
    else {
      const crowd = { users: new Map<number, PieceUser>(), byPage: new PageUsers() };
      enter(crowd, held);
      enter(crowd, added);
      this.#byBuffer.set(buffer, crowd);
    }
  }

  #leave(buffer: number, user: number): void {
    const held = this.#byBuffer.get(buffer);
    if (held === undefined) return;
    if ("users" in held) {
      held.users.delete(user);
      held.byPage.remove(user);
      if (held.users.size > 0) return;
    } else if (held.user !== user) return;
    this.#byBuffer.delete(buffer);
  }

  #indexAll(): PageUsers {
    const users = new Set(
      this.#byBuffer.values().flatMap((held) => "users" in held ? [...held.users.values()] : [held]),
    );
    const byPage = new PageUsers();
    for (const each of [...users].sort((left, right) => left.order - right.order)) put(byPage, each);
    this.#byPage = byPage;
    this.#byBuffer.clear();
    return byPage;
  }
}

const NONE: readonly Sharer[] = [];

function enter({ users, byPage }: Crowd, added: PieceUser): void {
  users.set(added.user, added);
  put(byPage, added);
}

function put(byPage: PageUsers, { user, extent, isMarked }: PieceUser): void {
  byPage.add(user, runsOf(extent.pieces), { isMarked });
}
