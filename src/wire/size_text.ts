// A number of bytes as people read it. It must not know what they are bytes of.

const UNITS = ["bytes", "KB", "MB", "GB", "TB"] as const;

/** `100 bytes`, `64 KB`, `1.5 MB`: units of 1024, at most one decimal. */
export function sizeText(bytes: number): string {
  let amount = bytes;
  let unit = 0;
  while (amount >= 1024 && unit < UNITS.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${Math.round(amount * 10) / 10} ${bytes === 1 ? "byte" : UNITS[unit]}`;
}
