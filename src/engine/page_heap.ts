// Free pages, the lowest first: a binary heap in a plain array, so that a snapshot is a copy of it.

/** Puts a page into the heap. */
export function pushPage(heap: number[], page: number): void {
  let at = heap.length;
  heap.push(page);
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above];
    if (parent === undefined || parent <= page) break;
    heap[at] = parent;
    heap[above] = page;
    at = above;
  }
}

/** Takes the lowest page out; undefined where the heap is empty. */
export function popPage(heap: number[]): number | undefined {
  const lowest = heap[0];
  const last = heap.pop();
  if (lowest === undefined || last === undefined || heap.length === 0) return lowest;
  sink(heap, last);
  return lowest;
}

/** Lets a page sink from the top to its place. */
function sink(heap: number[], page: number): void {
  let at = 0;
  for (;;) {
    const left = 2 * at + 1;
    const [one, other] = [heap[left], heap[left + 1]];
    if (one === undefined) break;
    const [child, below] = other !== undefined && other < one ? [other, left + 1] : [one, left];
    if (child >= page) break;
    heap[at] = child;
    at = below;
  }
  heap[at] = page;
}
