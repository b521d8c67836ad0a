// Where two pieces of plain data first differ: snapshots are compared with it. It must not know what they hold.

/** The path of the first difference, null: there is none. Left out: members of the outermost level. */
export function differenceOf(left: unknown, right: unknown, leftOut: ReadonlySet<string> = NONE): string | null {
  if (Object.is(left, right)) return null;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) {
    return `: ${String(left)} and ${String(right)}`;
  }
  if (left instanceof Uint8Array && right instanceof Uint8Array) return bytesDiffer(left, right);
  if (left instanceof Map && right instanceof Map) return listsDiffer([...left], [...right]);
  if (left instanceof Set && right instanceof Set) return listsDiffer([...left], [...right]);
  if (Array.isArray(left) && Array.isArray(right)) return listsDiffer(left, right);
  const others = new Map<string, unknown>(Object.entries(right));
  const own = Object.entries(left);
  if (own.length !== others.size) return `: members ${own.map(([name]) => name)} and ${[...others.keys()]}`;
  for (const [name, value] of own) {
    if (leftOut.has(name)) continue;
    const inner = differenceOf(value, others.get(name));
    if (inner !== null) return `.${name}${inner}`;
  }
  return null;
}

const NONE: ReadonlySet<string> = new Set();

function bytesDiffer(left: Uint8Array, right: Uint8Array): string | null {
  const at = left.findIndex((byte, index) => byte !== right[index]);
  return at < 0 && left.length === right.length ? null : `: bytes at ${at} of ${left.length} and ${right.length}`;
}

function listsDiffer(left: readonly unknown[], right: readonly unknown[]): string | null {
  if (left.length !== right.length) return `: ${left.length} and ${right.length} members`;
  for (const [index, value] of left.entries()) {
    const inner = differenceOf(value, right[index]);
    if (inner !== null) return `[${index}]${inner}`;
  }
  return null;
}
