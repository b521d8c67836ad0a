// Names with wildcards, for filters (`--call Vmb*Gpadl`). It must not know what the names stand for.

/** Whether the whole name fits the glob: `*` any letters, `?` one, others as written. Takes at most glob × name steps. */
export function matchesGlob(glob: string, name: string): boolean {
  let position = 0;
  let star = -1;
  let resume = 0;
  let at = 0;
  while (position < name.length) {
    const sign = glob[at];
    if (sign === "*") {
      star = at;
      resume = position;
      at += 1;
    } else if (sign === "?" || sign === name[position]) {
      at += 1;
      position += 1;
    } else if (star >= 0) {
      resume += 1;
      position = resume;
      at = star + 1;
    } else return false;
  }
  while (glob[at] === "*") at += 1;
  return at === glob.length;
}
