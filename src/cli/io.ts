// What a verb may touch: where it prints, which folder the user stands in, how loud it may be. A verb gets an Io and
// nothing else of the system, so a test can call it with a System of its own, without a process.
import { Bar, makePaint, NO_PROGRESS, type Paint, type Progress, wantsColor, wrapped } from "./terminal.ts";
import { visibleText } from "../api/notation/text_literal.ts";
import { standingFolder } from "./paths.ts";
import { CliError, EXIT, isClosedPipe, isDiskFull } from "./exit.ts";
import { printable, printableJson } from "./printable.ts";
import type { OutputFlags } from "./flags.ts";

/** One of the process's two outputs. */
export interface Port {
  /** Writes all of it, or throws. */
  write(bytes: Uint8Array): void;
  readonly terminal: boolean;
}

/** All that differs between a real process and a test. */
export interface System {
  /** The folder that relative paths start from, absolute. */
  readonly folder: string;
  readonly stdout: Port;
  readonly stderr: Port;
  /** Standard input, piece by piece. */
  readonly stdin: () => AsyncIterable<Uint8Array>;
  /** Milliseconds from any start. */
  readonly now: () => number;
  /** Columns of the terminal; 80 where there is none. */
  readonly width: () => number;
  readonly noColor: boolean;
  /** How the user calls us: `deno task` or `maptrail`. */
  readonly self: string;
  /**
   * Calls back, with what it was, at the first Ctrl-C or other signal that asks the process to end; returns what undoes it. A
   * second one ends the process as ever. What never lets the event loop turn is not heard, and hears nothing.
   */
  readonly onInterrupt: (act: (why: string) => void) => () => void;
  /** Calls back with what was thrown where nobody catches, in a timer or a lost promise; returns what undoes it. */
  readonly onUncaught: (act: (error: unknown) => void) => () => void;
  /** Calls back when a program ends the process under us, for the exit code that it then gets; returns what undoes it. */
  readonly onExit: (act: () => number) => () => void;
}

/** What `progress` is told at the start. */
export interface ProgressOptions {
  /** How much there is in all, where that is known. */
  readonly total?: number;
  /** What is counted, in the plural; `events` if left out. */
  readonly unit?: string;
}

/** The end of a verb's output: what to type next, and the last line, without its `SUMMARY: `. */
export interface Closing {
  /** The next command worth typing, after `deno task ` or `maptrail `. */
  readonly next?: string;
  readonly summary: string;
  /** How to paint the summary. */
  readonly mood?: "good" | "bad";
  /** True where standard output is data (`--json`, `-o -`): both lines go to standard error then. */
  readonly data: boolean;
}

/** What a verb gets. */
export interface Io {
  readonly folder: string;
  /** Standard output: what the user asked for. */
  readonly out: Sink;
  /** Colours for standard output. */
  readonly paint: Paint;
  /** Columns to lay out for; Infinity where standard output is no terminal, so nothing is cut for a script. */
  readonly width: number;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly self: string;
  readonly stdin: System["stdin"];
  readonly now: () => number;
  readonly onInterrupt: System["onInterrupt"];
  readonly onUncaught: System["onUncaught"];
  readonly onExit: System["onExit"];
  /** Prints a line of text for people, folded to the terminal's width. */
  readonly say: (line: string) => void;
  /** A line of talk on standard error, unless `--quiet`. */
  talk(line: string): void;
  /** A line on standard error that `--quiet` does not silence: what went wrong. */
  complain(line: string): void;
  /** Starts a bar; only on a terminal, after one second, and not with `--quiet`. */
  progress(label: string, options?: ProgressOptions): Progress;
  /** `next:  …` and `SUMMARY: …`, on the output where they belong. */
  close(closing: Closing): void;
}

const FLUSH_CHARACTERS = 1 << 16;
const FLUSH_CHARACTERS_TERMINAL = 1 << 12;

/** Standard output, gathered into large writes. */
export class Sink {
  readonly #port: Port;
  readonly #before: () => void;
  readonly #keepsColor: boolean;
  readonly #encoder = new TextEncoder();
  #pending = "";

  /** `before` is called ahead of each real write: it wipes the bar. */
  constructor(port: Port, { before, keepsColor }: { readonly before: () => void; readonly keepsColor: boolean }) {
    this.#port = port;
    this.#before = before;
    this.#keepsColor = keepsColor;
  }

  /** Whether people look at it as it comes. */
  get terminal(): boolean {
    return this.#port.terminal;
  }

  #write(text: string): void {
    this.#pending += text;
    if (this.#pending.length >= (this.terminal ? FLUSH_CHARACTERS_TERMINAL : FLUSH_CHARACTERS)) this.flush();
  }

  /** Adds a line and its end; what a terminal would act on is written out. */
  line(text = ""): void {
    this.#write(`${printable(text, { keepsColor: this.#keepsColor })}\n`);
  }

  /** Adds one JSON value as a line. Give integers above 2^53 as strings. */
  json(value: unknown): void {
    this.jsonText(JSON.stringify(value));
  }

  /** Adds a line that is JSON already. */
  jsonText(json: string): void {
    this.#write(`${printableJson(json)}\n`);
  }

  /** Adds bytes, after the text that came before them. */
  writeBytes(bytes: Uint8Array): void {
    this.flush();
    this.#before();
    this.#port.write(bytes);
  }

  /** Writes what was gathered. */
  flush(): void {
    if (this.#pending === "") return;
    const text = this.#pending;
    this.#pending = "";
    this.#before();
    this.#port.write(this.#encoder.encode(text));
  }
}

/** How a verb is to print: the part of its flags that an Io needs. */
export type Loudness = Pick<OutputFlags, "quiet" | "verbose" | "color">;

/** The Io of one run. */
export function makeIo(system: System, flags: Loudness): Io {
  const { stdout, stderr, noColor } = system;
  const encoder = new TextEncoder();
  const bars: Bar[] = [];
  const hide = () => bars.forEach((bar) => bar.hide());
  const paint = makePaint(wantsColor(flags.color, { terminal: stdout.terminal, noColor }));
  const out = new Sink(stdout, { before: hide, keepsColor: paint.on });
  const errWrite = (text: string) => writeQuietly(stderr, encoder.encode(text));
  const complain = (line: string) => {
    out.flush();
    hide();
    const lines = printable(line).split("\n").flatMap((each) =>
      stderr.terminal ? folded(each, system.width()) : [each]
    );
    errWrite(`${lines.join("\n")}\n`);
  };
  // What it says of a file may be that file's words, and a line of them must not look like one of ours.
  const talk = (line: string) => flags.quiet ? undefined : complain(visibleText(line));
  const place = { write: errWrite, now: system.now, width: system.width };
  return {
    folder: system.folder,
    out,
    paint,
    width: stdout.terminal ? system.width() : Infinity,
    quiet: flags.quiet,
    verbose: flags.verbose,
    self: system.self,
    stdin: onlyOnce(system.stdin),
    now: system.now,
    onInterrupt: system.onInterrupt,
    onUncaught: system.onUncaught,
    onExit: system.onExit,
    say: (line) => wrapped(line, stdout.terminal ? system.width() : Infinity).forEach((piece) => out.line(piece)),
    talk,
    complain,
    progress(label, { total, unit = "events" } = {}) {
      if (!stderr.terminal || flags.quiet) return NO_PROGRESS;
      const bar = new Bar({ label: printable(label), total, unit }, place);
      bars.push(bar);
      return bar;
    },
    close({ next, summary, mood, data }) {
      const write = data ? talk : (line: string) => out.line(line);
      if (next !== undefined) write(`next:  ${system.self} ${next}`);
      const painted = mood === undefined || data ? visibleText(summary) : paint[mood](visibleText(summary));
      write(`SUMMARY: ${painted}`);
    },
  };
}

/** A sentence for people is folded at its words; a command to paste, or a line that points at a column, is not. */
function folded(line: string, width: number): string[] {
  return /^(?: |next:|Try:|SUMMARY:)/.test(line) ? [line] : wrapped(line, width);
}

/** What comes on standard input comes once: to name it twice is a mistake. */
function onlyOnce(read: System["stdin"]): System["stdin"] {
  let isRead = false;
  return () => {
    if (isRead) {
      throw new CliError(EXIT.usage, 'Name a file for one of the two: standard input, "-", can be read once.');
    }
    isRead = true;
    return read();
  };
}

/** Talk that nobody hears is no error: a standard error that is closed, or on a full disk, must not end a verb. */
function writeQuietly(port: Port, bytes: Uint8Array): void {
  try {
    port.write(bytes);
  } catch (error) {
    if (!isClosedPipe(error) && !isDiskFull(error)) throw error;
  }
}

/** The process that we are. Needs no permission but `--allow-read`, and `--allow-env=INIT_CWD` for `deno task`. */
export function denoSystem(): System {
  const { folder, underTask } = standingFolder();
  return {
    folder,
    stdout: denoPort(Deno.stdout),
    stderr: denoPort(Deno.stderr),
    stdin: () => Deno.stdin.readable,
    now: () => performance.now(),
    width: terminalWidth,
    noColor: Deno.noColor,
    self: underTask ? "deno task" : "maptrail",
    onInterrupt,
    onUncaught,
    onExit,
  };
}

function denoPort(stream: typeof Deno.stdout | typeof Deno.stderr): Port {
  return { terminal: stream.isTerminal(), write: (bytes) => writeAll(stream, bytes) };
}

function writeAll(stream: typeof Deno.stdout | typeof Deno.stderr, bytes: Uint8Array): void {
  let written = 0;
  while (written < bytes.length) {
    try {
      written += stream.writeSync(bytes.subarray(written));
    } catch (error) {
      // Another process can have made the pipe non-blocking: then a full pipe is no error, only a wait.
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** Some terminals say 0: one narrower than 20 columns has not told its width. */
function terminalWidth(): number {
  try {
    const { columns } = Deno.consoleSize();
    return columns < 20 ? 80 : columns;
  } catch {
    return 80;
  }
}

/** Signals that ask a process to end, and what a trace says of them; Windows has no SIGTERM to listen to. */
const ENDINGS: readonly (readonly [Deno.Signal, string])[] = [
  ["SIGINT", "Ctrl-C"],
  ["SIGHUP", "SIGHUP, the terminal was closed"],
  Deno.build.os === "windows" ? ["SIGBREAK", "Ctrl-Break"] : ["SIGTERM", "SIGTERM"],
];

function onInterrupt(act: (why: string) => void): () => void {
  const listeners = ENDINGS.map(([signal, why]) =>
    [signal, () => {
      undo();
      act(why);
    }] as const
  );
  const undo = () => listeners.forEach(([signal, listener]) => Deno.removeSignalListener(signal, listener));
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  return undo;
}

function onUncaught(act: (error: unknown) => void): () => void {
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    act(event.error);
  };
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    act(event.reason);
  };
  addEventListener("error", onError);
  addEventListener("unhandledrejection", onRejection);
  return () => {
    removeEventListener("error", onError);
    removeEventListener("unhandledrejection", onRejection);
  };
}

function onExit(act: () => number): () => void {
  const onUnload = () => {
    Deno.exitCode = act();
  };
  addEventListener("unload", onUnload);
  return () => removeEventListener("unload", onUnload);
}
