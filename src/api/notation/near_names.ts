// "Did you mean": the names nearest to a misspelt one. It must not know what the names stand for.

const MAX_LENGTH = 100;

/** ` Did you mean "X"?`, to follow a sentence; empty where no name is near. */
export function didYouMean(name: string, names: Iterable<string>): string {
  const near = nearestNames(name, names).map((each) => `"${each}"`);
  return near.length === 0 ? "" : ` Did you mean ${near.join(" or ")}?`;
}

/** Up to three names within a third of the name's length in edits, case ignored; the nearest first. */
export function nearestNames(name: string, names: Iterable<string>): readonly string[] {
  if (name.length > MAX_LENGTH) return [];
  const most = Math.max(1, Math.floor(name.length / 3));
  const near = Array.from(names, (each) => ({ each, edits: editDistance(name.toLowerCase(), each.toLowerCase()) }))
    .filter(({ edits }) => edits <= most)
    .sort((left, right) => left.edits - right.edits);
  const best = near[0]?.edits ?? 0;
  return near.filter(({ edits }) => edits <= best + 1).slice(0, 3).map(({ each }) => each);
}

/** How many characters to insert, drop, change or swap with their neighbour to make one text of the other. */
export function editDistance(left: string, right: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row++) {
    const next = [row];
    for (let column = 1; column <= right.length; column++) {
      const change = left[row - 1] === right[column - 1] ? 0 : 1;
      const swap = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
        ? (beforeLast[column - 2] ?? Infinity) + 1
        : Infinity;
      const drop = (last[column] ?? Infinity) + 1;
      const insert = (next[column - 1] ?? Infinity) + 1;
      next.push(Math.min(drop, insert, (last[column - 1] ?? Infinity) + change, swap));
    }
    beforeLast = last;
    last = next;
  }
  return last[right.length] ?? 0;
}
