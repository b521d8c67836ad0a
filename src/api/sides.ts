// Who acts: the notation's sides, and which endpoints of a declaration each may be.

import type { Endpoint } from "./grammar.ts";

/** The sides without a number; `umd#2` is the second process of `umd`. */
export const SIDES = ["client", "server", "umd", "guest-umd", "kmd", "guest", "host", "gpu", "machine"] as const;
/** A side without its process number. */
export type BaseSide = (typeof SIDES)[number];

const ENDPOINT_SIDES: Readonly<Record<Endpoint, readonly BaseSide[]>> = {
  client: ["client"],
  server: ["server"],
  both: ["client", "server"],
  umd: ["umd", "guest-umd"],
  kmd: ["kmd"],
  cpu: ["guest", "host"],
  gpu: ["gpu"],
  machine: ["machine"],
};

/** The side without its process number, or null where it is none. */
export function baseSide(side: string): BaseSide | null {
  const match = /^([a-z-]+)(?:#([1-9][0-9]{0,5}))?$/.exec(side);
  const base = SIDES.find((name) => name === match?.[1]);
  if (base === undefined) return null;
  return match?.[2] === undefined || base === "umd" || base === "guest-umd" ? base : null;
}

/** `umd#1` is `umd`; every other side is itself. */
export function canonicalSide(side: string): string {
  return side.endsWith("#1") ? side.slice(0, -2) : side;
}

/**
 * Whether a side may make calls of an endpoint at all. A channel's wrong end may (and is refused, rule L-09):
 * `client` and `server` admit each other.
 */
export function mayCall(side: BaseSide, endpoint: Endpoint): boolean {
  if (side === "client" || side === "server") {
    return endpoint === "client" || endpoint === "server" || endpoint === "both";
  }
  return ENDPOINT_SIDES[endpoint].includes(side);
}

/** The sides that calls of an endpoint are meant for. */
export function sidesOf(endpoint: Endpoint): readonly BaseSide[] {
  return ENDPOINT_SIDES[endpoint];
}
