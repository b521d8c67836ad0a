// Figures of several runs: a median and its spread; and tables that line up. It must not know what is measured.

/** A figure: median, lowest and highest of the runs. */
export interface Figure {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** The figure of these runs; not a number where there are none. */
export function figureOf(values: readonly number[]): Figure {
  const sorted = values.toSorted((one, other) => one - other);
  return {
    median: sorted[sorted.length >> 1] ?? Number.NaN,
    low: sorted[0] ?? Number.NaN,
    high: sorted.at(-1) ?? Number.NaN,
  };
}

/** The differences of two kinds of run, pair by pair: what was slow for both cancels. */
export function differenceOf(left: readonly number[], right: readonly number[]): Figure {
  return figureOf(left.map((one, index) => one - (right[index] ?? Number.NaN)));
}

/** `1,234`, and two digits more below ten. */
export function numberText(value: number): string {
  if (!Number.isFinite(value)) return "n/a";
  if (Math.abs(value) < 10) return value.toFixed(2);
  if (Math.abs(value) < 100) return value.toFixed(1);
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `1,234  1,200 to 1,300`. */
export function figureText({ median, low, high }: Figure): [median: string, spread: string] {
  return [numberText(median), low === high ? "" : `${numberText(low)} to ${numberText(high)}`];
}

/** Rows as lines whose columns line up: the first to the left, the others to the right. */
export function tableLines(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => widths[column] = Math.max(widths[column] ?? 0, cell.length));
  }
  return rows.map((row) =>
    row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    }).join("  ").trimEnd()
  );
}
