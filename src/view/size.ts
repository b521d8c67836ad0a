// Sizes for people.

const UNITS = ["bytes", "KB", "MB", "GB", "TB"] as const;

/** `64 KB`, `1.5 MB`: units of 1024, at most one decimal. */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const shown = Number.isInteger(value) ? String(value) : value.toFixed(1);
  return `${shown} ${bytes === 1 ? "byte" : UNITS[unit]}`;
}
