// A System for tests: outputs that are kept, a clock that stands until it is moved, no terminal unless asked for.
import type { Port, System } from "../../src/cli/io.ts";

/** A System and what was written to it. */
export interface FakeSystem extends System {
  readonly output: () => string;
  /** Standard output as it is, for traces. */
  readonly outputBytes: () => Uint8Array<ArrayBuffer>;
  readonly errors: () => string;
  readonly advance: (milliseconds: number) => void;
  /** Ctrl-C, for whoever listens. */
  readonly interrupt: () => void;
}

/** What a System may have besides its folder. */
export interface FakeOptions {
  readonly terminal?: boolean;
  readonly stdin?: string | Uint8Array<ArrayBuffer> | AsyncIterable<Uint8Array>;
}

/** A System that stands in `folder`. */
export function fakeSystem(folder = "/nowhere", { terminal = false, stdin = "" }: FakeOptions = {}): FakeSystem {
  const stdout = keptPort(terminal);
  const stderr = keptPort(terminal);
  const listeners = new Set<(why: string) => void>();
  let time = 0;
  return {
    folder,
    stdout: stdout.port,
    stderr: stderr.port,
    output: () => new TextDecoder().decode(stdout.bytes()),
    outputBytes: stdout.bytes,
    errors: () => new TextDecoder().decode(stderr.bytes()),
    stdin: () => typeof stdin === "string" || stdin instanceof Uint8Array ? onePiece(stdin) : stdin,
    now: () => time,
    advance: (milliseconds) => {
      time += milliseconds;
    },
    interrupt: () => listeners.forEach((act) => act("Ctrl-C")),
    width: () => 80,
    noColor: false,
    self: "maptrail",
    onInterrupt: (act) => {
      listeners.add(act);
      return () => listeners.delete(act);
    },
    onUncaught: () => () => {},
    onExit: () => () => {},
  };
}

function onePiece(input: string | Uint8Array): AsyncIterable<Uint8Array> {
  return ReadableStream.from([typeof input === "string" ? new TextEncoder().encode(input) : input]);
}

function keptPort(terminal: boolean): { readonly port: Port; readonly bytes: () => Uint8Array<ArrayBuffer> } {
  const parts: number[] = [];
  return {
    port: {
      terminal,
      write(bytes) {
        for (const byte of bytes) parts.push(byte);
      },
    },
    bytes: () => Uint8Array.from(parts),
  };
}

/** A port whose reader went away. */
export function closedPort(): Port {
  return {
    terminal: false,
    write() {
      throw new Deno.errors.BrokenPipe("closed");
    },
  };
}
