// Maps of GPU addresses that are not known to be done, by paging queue, in order of issue. It must not know what they change.

import type { PageMapping, PageSpan, PagingPoint } from "./gpu_page_table.ts";
import { Queue } from "./queue.ts";

/** Maps of one queue that are not known to be done; beyond that the oldest counts as done. */
export const QUEUED_KEPT = 65536;

/** A map that is not known to be done. */
export interface QueuedMap extends PageSpan {
  readonly gpu: number;
  readonly mapping: PageMapping;
}

/** Queued maps of one address space. */
export class QueuedMaps {
  readonly #queues = new Map<number, Queue<QueuedMap>>();

  /** Queues a map; returns the oldest of that queue where there are too many. */
  push(queue: number, map: QueuedMap): QueuedMap | undefined {
    const maps = this.#queues.get(queue) ?? new Queue<QueuedMap>();
    this.#queues.set(queue, maps);
    maps.push(map);
    return maps.size > QUEUED_KEPT ? maps.shift() : undefined;
  }

  /** Takes the maps of a queue up to a fence value, in order. */
  *take({ queue, fence }: PagingPoint): Iterable<QueuedMap> {
    const maps = this.#queues.get(queue);
    if (maps === undefined) return;
    for (let first = maps.first; first !== undefined && first.mapping.paging.fence <= fence; first = maps.first) {
      maps.shift();
      yield first;
    }
    if (maps.size === 0) this.#queues.delete(queue);
  }

  /** Takes all that a queue has, in order. */
  *drop(queue: number): Iterable<QueuedMap> {
    const maps = this.#queues.get(queue);
    if (maps === undefined) return;
    this.#queues.delete(queue);
    for (let next = maps.shift(); next !== undefined; next = maps.shift()) yield next;
  }
}
