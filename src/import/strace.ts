// Turns a log of strace into a trace: the ioctls of /dev/dxg become D3DKMT calls. Rules: importers.md 7.
// It must not know structures (`dxg_calls.ts`) nor files.
//
// Format: strace's text. Only strace 6.10 and newer dumps the argument of an ioctl that it does not know, as `"\x40…" => "\x40…"`;
// older ones print a pointer, and then the calls can only be counted. Tried on quoted lines of 5.x and on lines in the form of
// 6.10, made by our own tests: no public log of such a dump is known. Dropped: other system calls and other files, both counted;
// what pointers point to, which strace does not dump, so a call with a list of handles is undecodable. The magic number 0x47 is
// other drivers' too: an ioctl counts only where the file was opened as /dev/dxg in the log, or is printed so (-y).

import { DXG_IOCTLS, ERRNO, findIoctl } from "../api/mod.ts";
import type { Loss, TraceEvent, TraceHeader } from "../trace/mod.ts";
import { captureHeader } from "./capture_header.ts";
import { type DxgDecoded, DxgDecoder } from "./dxg_calls.ts";
import type { ImportOptions } from "./dxgkrnl.ts";
import type { ImportCount, Imported, ImportProblem } from "./imported.ts";
import { parseStraceCall, parseStraceLine, type StraceCall } from "./strace_line.ts";

const IOCTL =
  /^(\d+)(?:<([^>]*)>)?, *(?:_IOC\(([^,]*), (0x[\da-f]+|'G'), (0x[\da-f]+|\d+), (0x[\da-f]+|\d+)\)|(0x[\da-f]+))(?:, *(.*))?$/;
const DUMP = /^"((?:\\x[\da-f]{2})*)"(\.\.\.)?(?: => "((?:\\x[\da-f]{2})*)"(\.\.\.)?)?$/;
const OPENED = /"\/dev\/dxg"/;
const MAGIC = 0x47;
const READ_WRITE = 0xc000_0000;
const DAY_NS = 86_400_000_000_000n;
/** A log that is wrong in more ways than this has the rest of them in one line, so that a header stays small. */
const MAX_LOSSES = 256;
const ERRNOS: ReadonlyMap<string, number> = new Map(Object.entries(ERRNO));
/** Unknown errors: the library makes STATUS_UNSUCCESSFUL of it. */
const UNKNOWN_ERRNO = 4095;

/** Imports the lines of strace, without their line ends. Nothing of a line that is wrong stops the others. */
export function importStrace(lines: Iterable<string>, { toolVersion = "" }: ImportOptions = {}): Imported {
  const log = new Log();
  let number = 0;
  for (const line of lines) {
    number += 1;
    log.line(line, number);
  }
  log.end();
  const { events, places, problems } = log;
  return {
    header: makeHeader(problems, toolVersion),
    events,
    end: { reason: "imported", message: "", events: events.length },
    report: {
      imported: counts(log.imported),
      skipped: counts(log.skipped),
      unknown: counts(log.unknown),
      undecodable: problems,
      otherRecords: log.others,
      missing: [],
      notes: log.notes(),
      clock: {
        source: log.hasTimes ? "strace" : "none",
        ticksPerSecond: log.hasTimes ? 1_000_000_000n : 0n,
        zeroAtNs: null,
      },
      offsetUnit: "line",
      offsetOf(event) {
        const place = places[event - 1];
        if (place === undefined) throw new RangeError(`Cannot find the line of @${event}: there is no such event`);
        return place;
      },
    },
  };
}

type Tally = Map<string, { readonly id: number | null; readonly name: string; count: number }>;

function add(tally: Tally, id: number | null, name: string): void {
  const found = tally.get(name);
  if (found === undefined) tally.set(name, { id, name, count: 1 });
  else found.count += 1;
}

function counts(tally: Tally): ImportCount[] {
  return [...tally.values()].map(({ id, name, count }) => ({ id, name, count }));
}

/** A call and the line on which it returned. */
interface Place {
  readonly line: number;
  readonly pid: string;
  readonly timeNs: bigint;
}

/** What a log has said so far. */
class Log {
  readonly events: TraceEvent[] = [];
  /** The line of each event. */
  readonly places: number[] = [];
  readonly problems: { -readonly [K in keyof ImportProblem]: ImportProblem[K] }[] = [];
  readonly imported: Tally = new Map();
  readonly skipped: Tally = new Map();
  readonly unknown: Tally = new Map();
  others = 0;
  hasTimes = false;
  readonly #decoder = new DxgDecoder();
  /** Files that are /dev/dxg, by number. */
  readonly #files = new Set<string>();
  /** Calls that a thread has begun, with the line. */
  readonly #begun = new Map<string, { readonly name: string; readonly text: string; readonly line: number }>();
  #first: bigint | null = null;
  #last = 0n;
  #withoutBytes = 0;

  line(text: string, line: number): void {
    const read = parseStraceLine(text);
    if (read.form === "other") {
      if (text.trim() !== "") this.others += 1;
      return;
    }
    if (read.form === "odd") return this.#problem(line, "", null, `"${excerpt(text)}" is no line of strace`);
    const place = { line, pid: read.pid, timeNs: this.#time(read.timeNs) };
    if (read.form === "call") return this.#call(read.call, place);
    if (read.form === "unfinished") {
      this.#lost(read.pid);
      this.#begun.set(read.pid, { name: read.name, text: read.text, line });
      return;
    }
    const begun = this.#begun.get(read.pid);
    this.#begun.delete(read.pid);
    const call = begun?.name === read.name ? parseStraceCall(`${begun.name}(${begun.text}${read.text}`) : null;
    if (call !== null) this.#call(call, place);
    else if (read.name === "ioctl") {
      const what = begun === undefined ? "its beginning is not in the log" : "it does not fit its beginning";
      this.#problem(line, "ioctl", null, `an ioctl was resumed, and ${what}`);
    } else this.others += 1;
  }

  /** What nobody finished. */
  end(): void {
    for (const pid of [...this.#begun.keys()]) this.#lost(pid);
  }

  notes(): string[] {
    return this.#withoutBytes === 0 ? [] : [
      `${this.#withoutBytes} ioctls of /dev/dxg without their bytes: strace 6.10 and newer dumps them, older ones print a pointer`,
    ];
  }

  #lost(pid: string): void {
    const begun = this.#begun.get(pid);
    this.#begun.delete(pid);
    if (begun === undefined) return;
    if (begun.name === "ioctl") this.#problem(begun.line, "ioctl", null, "an ioctl never returned");
    else this.others += 1;
  }

  #call(call: StraceCall, place: Place): void {
    if (call.name === "ioctl") return this.#ioctl(call, place);
    this.others += 1;
    if (/^open(at2?)?$/.test(call.name)) {
      if (typeof call.result !== "number" || call.result < 0) return;
      if (OPENED.test(call.text)) this.#files.add(String(call.result));
      else this.#files.delete(String(call.result));
    }
    if (call.name === "close" && call.result === 0) this.#files.delete(/^\d+/.exec(call.text)?.[0] ?? "");
  }

  #ioctl({ text, result }: StraceCall, place: Place): void {
    const [, file = "", path, , magic, nr = "0", size = "0", raw, argument = ""] = IOCTL.exec(text) ?? [];
    if (file === "") {
      // Requests of other drivers have names of their own: they are not ours to read.
      if (/^\d+(<[^>]*>)?, [A-Z_]/.test(text)) this.others += 1;
      else this.#problem(place.line, "ioctl", null, `"${excerpt(text)}" are no arguments of an ioctl`);
      return;
    }
    const command = raw === undefined ? commandOf(magic ?? "", Number(nr), Number(size)) : Number(raw);
    if (((command >>> 8) & 0xff) !== MAGIC) return void (this.others += 1);
    const isDxg = path === undefined ? this.#files.has(file) : path.startsWith("/dev/dxg");
    if (!isDxg) return add(this.skipped, null, `ioctl of a file that the log does not show to be /dev/dxg`);
    this.#dxg({ command, argument, result }, place);
  }

  #dxg(
    { command, argument, result }: {
      readonly command: number;
      readonly argument: string;
      readonly result: StraceCall["result"];
    },
    place: Place,
  ): void {
    const ioctl = findIoctl(command);
    const nr = command & 0xff;
    if (ioctl === null) {
      const known = DXG_IOCTLS.find((each) => each.nr === nr)?.name ?? "";
      return add(this.unknown, nr, `0x${command.toString(16)}${known === "" ? "" : ` (${known} of another size)`}`);
    }
    if (result === null) return this.#problem(place.line, ioctl.name, nr, "it never returned");
    const [, first, firstCut, second, secondCut] = DUMP.exec(argument) ?? [];
    if (first === undefined) {
      if (!/^0x[\da-f]+$|^NULL$/.test(argument)) {
        return this.#problem(place.line, ioctl.name, nr, `"${excerpt(argument)}" is neither a pointer nor a dump`);
      }
      this.#withoutBytes += 1;
      return add(this.skipped, nr, `${ioctl.name} without its bytes`);
    }
    if (firstCut !== undefined || secondCut !== undefined) {
      return this.#problem(place.line, ioctl.name, nr, "its dump is cut short: strace takes -s 1024");
    }
    const before = bytesOf(first);
    const after = second === undefined ? before : bytesOf(second);
    const errno = typeof result === "string" ? -(ERRNOS.get(result) ?? UNKNOWN_ERRNO) : result;
    const decoded = this.#decoder.decode({ command, before, after, result: errno });
    if (decoded.form === "problem") return this.#problem(place.line, ioctl.name, nr, decoded.message);
    if (decoded.form === "skipped") return add(this.skipped, nr, ioctl.name);
    add(this.imported, nr, decoded.plan.name);
    this.#event(decoded, place);
  }

  #event({ plan, ins, outs, outcome }: Extract<DxgDecoded, { form: "call" }>, { line, pid, timeNs }: Place): void {
    this.places.push(line);
    this.events.push({
      event: this.events.length + 1,
      kind: "call",
      plan,
      side: "umd",
      actor: pid === "" ? "strace" : pid,
      level: plan.level,
      cause: 0,
      of: 0,
      timeNs,
      wallNs: 0,
      site: null,
      ins,
      outs,
      outcome,
      memory: null,
      text: "",
    });
  }

  /** Alike in call and reason are one problem; its line is the first one's. */
  #problem(line: number, name: string, id: number | null, reason: string): void {
    const message = `line ${line}: ${reason}`;
    const found = this.problems.find((each) =>
      each.name === name && each.message.replace(/^line \d+: /, "") === reason
    );
    if (found === undefined) this.problems.push({ id, name, count: 1, message, firstOffset: line });
    else found.count += 1;
  }

  /** Times never run back: those of a day go on at midnight, and lines of several threads may stand a little out of order. */
  #time(given: bigint | null): bigint {
    if (given === null) return this.#last;
    this.hasTimes = true;
    this.#first ??= given;
    let since = given - this.#first;
    if (given < DAY_NS) { while (this.#last - since > DAY_NS / 2n) since += DAY_NS; }
    if (since > this.#last) this.#last = since;
    return this.#last;
  }
}

/** Another direction than read and write is another command: none of /dev/dxg's. */
function commandOf(magic: string, nr: number, size: number): number {
  const type = magic === "'G'" ? MAGIC : Number(magic);
  return (READ_WRITE | (size << 16) | (type << 8) | nr) >>> 0;
}

function bytesOf(dump: string): Uint8Array {
  return Uint8Array.from(dump.match(/[\da-f]{2}/g) ?? [], (digits) => Number.parseInt(digits, 16));
}

function excerpt(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function makeHeader(problems: readonly ImportProblem[], toolVersion: string): TraceHeader {
  return captureHeader({ maker: "strace", toolVersion, startedAt: "", capabilities: [], losses: lossesOf(problems) });
}

function lossesOf(problems: readonly ImportProblem[]): Loss[] {
  const all = problems.map(({ name, message, count }) => {
    const more = count === 1 ? "" : `; ${count} of this kind in all`;
    return { what: `${name === "" ? "" : `${name}, `}${message}${more}`, firstEvent: 0, lastEvent: 0, offsetBytes: -1 };
  });
  if (all.length <= MAX_LOSSES) return all;
  const what = `${all.length - MAX_LOSSES} more kinds of lines could not be used`;
  return [...all.slice(0, MAX_LOSSES), { what, firstEvent: 0, lastEvent: 0, offsetBytes: -1 }];
}
