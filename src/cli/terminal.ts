// What a terminal can do for people: colour with restraint, and a bar of progress. Must not know the verbs, and asks
// nobody for the time or the width: both are handed in, so that tests can hold them still.
import { formatDuration, stripAnsiCode } from "./std.ts";
import type { ColorChoice } from "./flags.ts";

/** Paints a text, or leaves it as it is where colour is off. */
export interface Paint {
  readonly on: boolean;
  /** Severity `error` and `hang`, and what diverges. */
  bad(text: string): string;
  /** Severity `warning`. */
  warn(text: string): string;
  /** What is well: `complete`, `clean`. */
  good(text: string): string;
  /** Names to look at: rules, calls, objects in headings. */
  strong(text: string): string;
  /** What may be skipped: notes, positions, counts of what was cut. */
  faint(text: string): string;
}

// The standard library's colours cannot be switched on while NO_COLOR is set, and `--color always` must win over it.
function ink(on: boolean, open: number, close: number): (text: string) => string {
  return on ? (text) => text === "" ? "" : `\x1b[${open}m${text}\x1b[${close}m` : (text) => text;
}

/** The five paints of the program, or five that do nothing. */
export function makePaint(on: boolean): Paint {
  return {
    on,
    bad: ink(on, 31, 39),
    warn: ink(on, 33, 39),
    good: ink(on, 32, 39),
    strong: ink(on, 1, 22),
    faint: ink(on, 2, 22),
  };
}

/** Whether to colour: `--color` decides, and on `auto` a terminal without NO_COLOR. */
export function wantsColor(choice: ColorChoice, options: { terminal: boolean; noColor: boolean }): boolean {
  return choice === "always" || (choice === "auto" && options.terminal && !options.noColor);
}

/** The `--color` among the words typed, for what is printed before (or because never) they are parsed. */
export function colorChoiceIn(args: readonly string[]): ColorChoice {
  const words = args.slice(0, args.includes("--") ? args.indexOf("--") : undefined);
  const at = words.findLastIndex((word) => word === "--color" || word.startsWith("--color="));
  const value = words[at] === "--color" ? words[at + 1] : words[at]?.slice("--color=".length);
  return value === "always" || value === "never" ? value : "auto";
}

/** How many columns a text takes, its colours left out; a character counts as one. */
export function columnsOf(text: string): number {
  return [...stripAnsiCode(text)].length;
}

/** Cuts a plain text to `width` columns, with `…` where something is gone. */
export function fit(text: string, width: number): string {
  const letters = [...text];
  return letters.length <= width ? text : `${letters.slice(0, Math.max(0, width - 1)).join("")}…`;
}

/**
 * The line in pieces of at most `width` columns, cut between its parts (three spaces), or between words where parts are
 * too long; what follows is indented. A word that is longer than a line stays whole.
 */
export function wrapped(line: string, width: number): string[] {
  if (columnsOf(line) <= width) return [line];
  const [indent = ""] = /^ */.exec(line) ?? [];
  const rest = line.slice(indent.length);
  if (indent === "") return packed(rest.split(" "), { gap: " ", width, indent, further: " ".repeat(7) });
  const further = `${indent}  `;
  const byParts = packed(rest.split(GAP), { gap: GAP, width, indent, further });
  if (byParts.every((piece) => columnsOf(piece) <= width)) return byParts;
  return packed(rest.split(" "), { gap: " ", width, indent, further });
}

const GAP = "   ";

interface Packing {
  readonly gap: string;
  readonly width: number;
  readonly indent: string;
  readonly further: string;
}

function packed(parts: readonly string[], { gap, width, indent, further }: Packing): string[] {
  const lines: string[] = [];
  let current = indent + (parts[0] ?? "");
  for (const part of parts.slice(1)) {
    const longer = current + gap + part;
    if (columnsOf(longer) <= width) current = longer;
    else {
      lines.push(current.trimEnd());
      current = further + part.trimStart();
    }
  }
  return [...lines, current];
}

/** ` … 12 more (--limit 0 shows all)`, or undefined where nothing was cut. `total` and `shown` are counts. */
export function cutNote(total: number, shown: number): string | undefined {
  return total > shown ? `… ${total - shown} more (--limit 0 shows all)` : undefined;
}

/** 12345678 as `12,345,678`, in every locale. */
export function grouped(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** `1 event`, `2,000 events`. */
export function plural(count: number, word: string): string {
  return `${grouped(count)} ${word}${count === 1 ? "" : "s"}`;
}

/** What a bar shows: how much of what, and how long it took so far. */
export interface ProgressState {
  readonly label: string;
  readonly done: number;
  /** Undefined where the end is not known: then there is a count and a rate, and no bar. */
  readonly total: number | undefined;
  /** What is counted, in the plural: `events`, `bytes`. */
  readonly unit: string;
  readonly elapsedMs: number;
}

/** One line of progress, never wider than `width` columns less one. */
export function progressLine(state: ProgressState, width: number): string {
  const { label, done, total, unit, elapsedMs } = state;
  const perSecond = elapsedMs > 0 ? done * 1000 / elapsedMs : 0;
  const rate = `${grouped(perSecond)} ${unit}/s`;
  if (total === undefined || total <= 0) return fit(`${label}  ${grouped(done)} ${unit}  ${rate}`, width - 1);
  const part = Math.min(1, done / total);
  const left = perSecond > 0 ? `  ${timeLeft((total - done) * 1000 / perSecond)} left` : "";
  const tail = `${String(Math.floor(part * 100)).padStart(3)} %  ${rate}${left}`;
  const room = Math.min(40, width - 1 - columnsOf(label) - columnsOf(tail) - 4);
  return fit(room >= 8 ? `${label}  ${bar(part, room)}  ${tail}` : `${label}  ${tail}`, width - 1);
}

function bar(part: number, columns: number): string {
  const full = Math.floor(part * columns);
  return "█".repeat(full) + "░".repeat(columns - full);
}

function timeLeft(milliseconds: number): string {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  return seconds === 0 ? "0s" : formatDuration(seconds * 1000, { ignoreZero: true });
}

/** Told how far something is; draws a bar, or nothing where nobody looks. */
export interface Progress {
  /** `done` counts from 0 in the unit given at the start; cheap enough for once a chunk. */
  update(done: number): void;
  /** Wipes the bar. May be called twice. */
  end(): void;
}

/** Where a bar is drawn, and by which clock. */
export interface ProgressPlace {
  readonly write: (text: string) => void;
  /** Milliseconds from any start. */
  readonly now: () => number;
  readonly width: () => number;
}

const QUIET_MS = 1000;
const REDRAW_MS = 100;
const WIPE = "\r\x1b[K";

/** A bar that appears after one second, is redrawn ten times a second at most, and leaves nothing behind. */
export class Bar implements Progress {
  readonly #place: ProgressPlace;
  readonly #what: Pick<ProgressState, "label" | "total" | "unit">;
  readonly #start: number;
  #drawnAt = -Infinity;
  #drawn = false;
  #ended = false;

  constructor(what: Pick<ProgressState, "label" | "total" | "unit">, place: ProgressPlace) {
    this.#what = what;
    this.#place = place;
    this.#start = place.now();
  }

  update(done: number): void {
    const now = this.#place.now();
    const elapsedMs = now - this.#start;
    if (this.#ended || elapsedMs < QUIET_MS || now - this.#drawnAt < REDRAW_MS) return;
    this.#place.write(WIPE + progressLine({ ...this.#what, done, elapsedMs }, this.#place.width()));
    this.#drawnAt = now;
    this.#drawn = true;
  }

  /** Wipes the bar so that a line can be written; the next update draws it again. */
  hide(): void {
    if (!this.#drawn) return;
    this.#drawn = false;
    this.#drawnAt = -Infinity;
    this.#place.write(WIPE);
  }

  end(): void {
    this.hide();
    this.#ended = true;
  }
}

/** Progress that nobody sees. */
export const NO_PROGRESS: Progress = { update() {}, end() {} };
