// Places in a program, numbered: a call, the side that made it, and where. So that what happened can be kept as numbers.
// It must not know rules.

import { ByPlan } from "../api/mod.ts";
import type { Site } from "../trace/mod.ts";
import type { CallView } from "./detector.ts";
import type { Evidence } from "./finding.ts";

/** Where a call was made, and by whom. */
export type Place = Pick<Evidence, "call" | "site" | "side">;

interface NewestPlace {
  site: Site | null;
  side: string;
  number: number;
}

interface Numbered {
  readonly call: string;
  readonly side: string;
  readonly number: number;
}

const NOWHERE: Place = { call: "", site: null, side: "" };

/** All places seen; a program has few. */
export class Places {
  readonly #places: Place[] = [NOWHERE];
  readonly #numbers = new Map<string, number>();
  /** By a chunk's site, at which one call is made most often; without sites, the newest of each call. */
  readonly #bySite = new WeakMap<Site, Numbered>();
  readonly #siteless = new Map<string, Numbered>();

  /** The event of the call that was asked for last, and the number of its place: several want to know. */
  #event = 0;
  #number = 0;
  readonly #newest = new ByPlan((): NewestPlace => ({ site: null, side: "", number: 0 }));

  /** The number of a call's place, from 1. Calls of a shape are mostly made where the one before was. */
  numberOfCall({ event, plan, site, side }: CallView): number {
    if (event === this.#event) return this.#number;
    const newest = this.#newest.of(plan);
    if (newest.number === 0 || newest.site !== site || newest.side !== side) {
      newest.site = site;
      newest.side = side;
      newest.number = this.numberIn(plan.name, site, side);
    }
    this.#event = event;
    this.#number = newest.number;
    return newest.number;
  }

  /** The number of a place, from 1. */
  numberOf({ call, site, side }: Place): number {
    return this.numberIn(call, site, side);
  }

  /** The same of its parts. */
  numberIn(call: string, site: Site | null, side: string): number {
    const newest = site === null ? this.#siteless.get(call) : this.#bySite.get(site);
    if (newest !== undefined && newest.call === call && newest.side === side) return newest.number;
    const text = `${call}\n${side}\n${site === null ? "" : siteText(site)}`;
    const known = this.#numbers.get(text);
    const number = known ?? this.#places.push({ call, site, side }) - 1;
    if (known === undefined) this.#numbers.set(text, number);
    if (site === null) this.#siteless.set(call, { call, side, number });
    else this.#bySite.set(site, { call, side, number });
    return number;
  }

  /** The place of a number. */
  at(number: number): Place {
    return this.#places[number] ?? NOWHERE;
  }
}

function siteText({ file, line, column, function: name }: Site): string {
  return `${file}\n${line}\n${column}\n${name}`;
}
