// Which endpoints may find each other: clients that wait, and servers that are on offer, by what they are looked up with. It
// follows from the channels, so that no snapshot holds it. It must not know when an offer can be opened.

import type { Channel } from "./ends.ts";

const ON_OFFER: ReadonlySet<string> = new Set(["enabled", "closed"]);

/** Numbers of channels that are enabled or closed, and in no connection. */
export class Meeting {
  /** By interface type. */
  readonly #clients = new Map<string, Set<number>>();
  /** By interface type, and by type and instance. */
  readonly #servers = new Map<string, Set<number>>();

  /** Takes in what an endpoint has become: it waits or is on offer, or it does not any more. */
  update(channel: Channel): void {
    const { data: { isServer }, number } = channel;
    const change = ON_OFFER.has(channel.state) ? addTo : removeFrom;
    for (const key of keysOf(channel)) change(isServer ? this.#servers : this.#clients, key, number);
  }

  /** Clients that want this interface type, lowest numbers first. */
  clients(interfaceType: string): readonly number[] {
    return [...this.#clients.get(interfaceType) ?? []].sort((one, other) => one - other);
  }

  /** Servers of the interface that a client wants, in no order. */
  servers({ data: { interfaceType, interfaceInstance } }: Channel): Iterable<number> {
    return this.#servers.get(`${interfaceType}${interfaceInstance ?? ""}`) ?? [];
  }
}

function keysOf({ data: { isServer, interfaceType, interfaceInstance } }: Channel): readonly string[] {
  if (interfaceType === null) return [];
  return isServer && interfaceInstance !== null ? [interfaceType, interfaceType + interfaceInstance] : [interfaceType];
}

function addTo(index: Map<string, Set<number>>, key: string, number: number): void {
  const numbers = index.get(key);
  if (numbers === undefined) index.set(key, new Set([number]));
  else numbers.add(number);
}

function removeFrom(index: Map<string, Set<number>>, key: string, number: number): void {
  const numbers = index.get(key);
  if (numbers?.delete(number) === true && numbers.size === 0) index.delete(key);
}
