// Names with wildcards, for filters (`--call Vmb*Gpadl`). It must not know what the names stand for.

/** A pattern for whole names: `*` is any run of characters, `?` any one; letters match exactly. `RangeError` above 200 characters. */
export function globToRegExp(glob: string): RegExp {
  if (glob.length > 200) {
    throw new RangeError(`Shorten the pattern: it has ${glob.length} characters, at most 200 are read`);
  }
  const pattern = glob.replace(/\*+/g, "*").replace(/[\\^$.|+()[\]{}/]/g, "\\$&");
  return new RegExp(`^${pattern.replaceAll("*", ".*").replaceAll("?", ".")}$`, "su");
}
