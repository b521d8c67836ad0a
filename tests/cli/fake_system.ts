// A System for tests: outputs that are kept, a clock that stands until it is moved, no terminal unless asked for.
import type { Port, System } from "../../src/cli/io.ts";

/** A System and what was written to it. */
export interface FakeSystem extends System {
  readonly output: () => string;
  readonly errors: () => string;
  readonly advance: (milliseconds: number) => void;
}

/** A System that stands in `folder`. */
export function fakeSystem(folder = "/nowhere", options: { terminal?: boolean; stdin?: string } = {}): FakeSystem {
  const { terminal = false, stdin = "" } = options;
  const stdout = keptPort(terminal);
  const stderr = keptPort(terminal);
  let time = 0;
  return {
    folder,
    stdout: stdout.port,
    stderr: stderr.port,
    output: stdout.text,
    errors: stderr.text,
    stdin: () => Promise.resolve(new TextEncoder().encode(stdin)),
    now: () => time,
    advance: (milliseconds) => {
      time += milliseconds;
    },
    width: () => 80,
    noColor: false,
    self: "maptrail",
    onInterrupt: () => () => {},
    onUncaught: () => () => {},
    onExit: () => () => {},
  };
}

function keptPort(terminal: boolean): { readonly port: Port; readonly text: () => string } {
  const decoder = new TextDecoder();
  let text = "";
  return {
    port: {
      terminal,
      write(bytes) {
        text += decoder.decode(bytes);
      },
    },
    text: () => text,
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
