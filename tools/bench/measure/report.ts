// The benchmark's results as text for a terminal: one table a part, figures in columns. It must not measure.

import type { Results } from "../../bench.ts";
import { type Figure, figureText, numberText, tableLines } from "./figure.ts";
import type { WorkloadRow } from "./in_process.ts";
import type { Machine } from "./machine.ts";
import type { RangeFigure, RangeRow } from "../ranges.ts";
import { growthOf, logarithmOf, readsBeyond, SPACE_COLUMNS, type SpaceRow } from "../spaces.ts";

/** The lines of a report. */
export function reportLines(results: Results): string[] {
  return [
    `medians of ${results.runs} runs and their spread; what differs was measured in pairs, run by run`,
    ...(results.machine === null ? [] : machineLines(results.machine)),
    ...results.workloads.flatMap(workloadLines),
    ...memoryLines(results),
    ...answerLines(results),
    ...rangeLines(results.ranges),
    ...spaceLines(results.spaces),
    ...peerLines(results),
  ];
}

type Row = readonly string[];

function section(title: string, rows: readonly Row[]): string[] {
  return rows.length === 0 ? [] : ["", title, ...tableLines(rows).map((line) => `  ${line}`)];
}

function figureRow(name: string, figure: Figure, unit: string): Row {
  const [median, spread] = figureText(figure);
  return [name, median, unit.padEnd(UNIT_COLUMNS), spread];
}

const UNIT_COLUMNS = 12;

function machineLines({ cpus, deno, zstdMegabytesPerSecond, emptyProgramMs }: Machine): string[] {
  return section(`machine: ${cpus} cores, Deno ${deno} (the targets assume 650 MB/s and 15 ms)`, [
    figureRow("zstd-1 on a chunk's kind of bytes", zstdMegabytesPerSecond, "MB/s"),
    figureRow("an empty Deno program", emptyProgramMs, "ms"),
  ]);
}

function workloadLines(row: WorkloadRow): string[] {
  const { workload, steps, calls, events } = row;
  const title = `${workload}: ${numberText(steps)} steps, ${numberText(calls)} calls, ${numberText(events)} events`;
  return [
    ...section(title, [
      figureRow("unrecorded call, events made and dropped", row.unrecordedNs, "ns"),
      figureRow("recorded call, sites off", row.recordedNs, "ns"),
      figureRow("recording adds, sites off: all work, one core", row.addedOffNs, "ns a call"),
      figureRow("… sites creating", row.addedCreatingNs, "ns a call"),
      figureRow("… sites all", row.addedAllNs, "ns a call"),
      figureRow("the same calls driven by no program", row.drivenNs, "ns a call"),
      figureRow("… writing adds to them (no keyframes)", row.drivenAddedNs, "ns a call"),
      figureRow("replayed", row.replayedPerSecond, "calls/s"),
      figureRow("audited, all rules", row.auditedPerSecond, "events/s"),
    ]),
    ...tableLines([
      ["bytes an event", numberText(row.bytesPerEvent), `information ${numberText(row.informationPerEvent)}`],
      [
        "bytes a step, with what is set up",
        numberText(row.bytesPerStep),
        `information ${numberText(row.informationPerStep)}`,
      ],
    ]).map((line) => `  ${line}`),
    `  information of a step, in bits: ${row.formula}`,
  ];
}

function memoryLines({ memory, memorySizes }: Results): string[] {
  const heads = memorySizes.map((events) => `${numberText(events / 1e6)} M events`);
  const rows = memory.map(({ verb, peakMegabytes, seconds }): Row => {
    const [first, last] = [peakMegabytes[0], peakMegabytes.at(-1)];
    const grows = peakMegabytes.length > 1 && first && last ? `× ${(last / first).toFixed(2)}` : "";
    return [
      verb,
      ...peakMegabytes.flatMap((peak, at) => [
        peak === null ? "n/a" : `${numberText(peak)} MB`,
        `${numberText(seconds[at] ?? Number.NaN)} s`,
      ]),
      grows,
    ];
  });
  if (rows.length === 0) return [];
  return section("peak memory of a verb as a process, gpadl-churn", [
    ["", ...heads.flatMap((head) => [head, ""])],
    ...rows,
  ]);
}

function answerLines({ answers }: Results): string[] {
  if (answers === null) return [];
  return section(`whole process on a trace of ${numberText(answers.events)} events`, [
    figureRow("info", answers.infoMs, "ms"),
    figureRow("dump --range of ten events", answers.dumpRangeMs, "ms"),
  ]);
}

function rangeLines(rows: readonly RangeRow[]): string[] {
  if (rows.length === 0) return [];
  const heads = ["live ranges", "map", "99.9 %", "lookup", "99.9 %", "free", "99.9 %"];
  const cells = rows.map(({ ranges, map, lookup, free }) => [
    numberText(ranges),
    ...pair(map),
    ...pair(lookup),
    ...pair(free),
  ]);
  return section("range store: mean and 99.9th percentile, in ns", [heads, ...cells]);
}

function spaceLines(rows: readonly SpaceRow[]): string[] {
  if (rows.length === 0) return [];
  const heads = ["live ranges", ...SPACE_COLUMNS.flatMap((column) => [column, "99.9 %"]), "MB"];
  const cells = rows.map((row) => [
    numberText(row.ranges),
    ...SPACE_COLUMNS.flatMap((column) => pair(row[column])),
    numberText(row.bytes / 1e6),
  ]);
  const growth = ["growth", ...SPACE_COLUMNS.flatMap((column) => [ratioText(growthOf(rows, column)), ""]), ""];
  const reads = ["… in reads", ...SPACE_COLUMNS.flatMap((column) => [numberText(readsBeyond(rows, column)), ""]), ""];
  const title =
    "address space of the engine: mean and 99.9th percentile, in ns; a read is one of as much memory, in a chain; " +
    `the logarithm grows ${ratioText(logarithmOf(rows))}, and what the last row has beyond that is told in reads`;
  return section(title, [heads, ...cells, growth, reads]);
}

function pair({ meanNs, p999Ns }: RangeFigure): [mean: string, p999: string] {
  return [numberText(meanNs), numberText(p999Ns)];
}

/** Ours is `gpadl-churn`, as the workload whose events are most like theirs: small, and all alike. */
function peerLines({ peers, workloads }: Results): string[] {
  if (peers === null) return [];
  const ours = workloads.find(({ workload }) => workload === "gpadl-churn") ?? workloads[0];
  const rows = peers.rows.map(({ name, unit, addedNs, bytesPerEvent }): Row => {
    const [median, spread] = figureText(addedNs);
    const added = ours?.addedOffNs.median ?? Number.NaN;
    const bytes = ours?.bytesPerEvent ?? Number.NaN;
    return [
      `${name} (${unit})`,
      numberText(added),
      median,
      ratioText(added / addedNs.median),
      spread,
      numberText(bytes),
      numberText(bytesPerEvent),
      ratioText(bytes / bytesPerEvent),
    ];
  });
  const heads = ["", "ours ns", "theirs ns", "ratio", "spread", "ours bytes", "theirs bytes", "ratio"];
  const title = `peers, an event: ours is ${ours?.workload ?? "n/a"}, sites off; below 1 is better`;
  return [...section(title, rows.length === 0 ? [] : [heads, ...rows]), ...peers.missing.map((line) => `  ${line}`)];
}

function ratioText(ratio: number): string {
  return Number.isFinite(ratio) ? ratio.toFixed(2) : "n/a";
}
