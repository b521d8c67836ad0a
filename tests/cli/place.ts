// A folder of a test's own, and the program run in it: as a call of main(), or as a process of its own.
import { main } from "../../src/cli/main.ts";
import { type FakeOptions, type FakeSystem, fakeSystem } from "./fake_system.ts";

/** Over ours: no folder that a task sets, since processes of tests stand in a folder of their own. */
const ENVIRONMENT = { INIT_CWD: "", NO_COLOR: "1" } as const;

/** What a process of a test is started with. */
export interface Starting extends Pick<Deno.CommandOptions, "cwd" | "stdout" | "stderr"> {
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * A process of this very Deno. A shell becomes it, so that signals reach it, and that tests need leave to run `sh` alone:
 * which file Deno is depends on how it was installed.
 */
export function denoCommand(words: readonly string[], options: Starting): Deno.Command {
  return shellCommand('exec "$0" "$@"', options, [Deno.execPath(), ...words]);
}

/** A script of the shell. */
export function shellCommand(script: string, options: Starting, words: readonly string[] = []): Deno.Command {
  return new Deno.Command("sh", {
    args: ["-c", script, ...words],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    ...options,
    env: { ...ENVIRONMENT, ...options.env },
  });
}

/** How a run ended, and what it said. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A folder to run the program in. */
export class Place {
  readonly folder = Deno.makeTempDirSync({ prefix: "maptrail-" });

  /** Runs the program with these words; a list for words that hold spaces. */
  run(words: string | readonly string[], options: FakeOptions = {}): Promise<Ran> {
    return this.runOn(fakeSystem(this.folder, options), words);
  }

  /** Runs the program on a System that the test holds. */
  async runOn(system: FakeSystem, words: string | readonly string[]): Promise<Ran> {
    const args = typeof words === "string" ? words.split(" ") : words;
    const code = await main(args, system);
    return { code, out: system.output(), err: system.errors(), bytes: system.outputBytes() };
  }

  /** Runs the program with a standard output whose device is full. */
  runFull(words: readonly string[]): Promise<Ran> {
    const stdout = {
      terminal: false,
      write() {
        throw Object.assign(new Error("No space left on device (os error 28)"), { code: "ENOSPC" });
      },
    };
    return this.runOn({ ...fakeSystem(this.folder), stdout }, words);
  }

  /** Writes a file. */
  put(name: string, content: string | Uint8Array): void {
    if (typeof content === "string") Deno.writeTextFileSync(this.path(name), content);
    else Deno.writeFileSync(this.path(name), content);
  }

  /** A file's bytes. */
  bytes(name: string): Uint8Array<ArrayBuffer> {
    return Deno.readFileSync(this.path(name));
  }

  /** The names in the folder, sorted. */
  names(): string[] {
    return [...Deno.readDirSync(this.folder)].map(({ name }) => name).sort();
  }

  /** Where a file is. */
  path(name: string): string {
    return `${this.folder}/${name}`;
  }
}

/** Runs a test's body in a folder that is gone afterwards. */
export async function inPlace(body: (place: Place) => void | Promise<void>): Promise<void> {
  const place = new Place();
  try {
    await body(place);
  } finally {
    Deno.removeSync(place.folder, { recursive: true });
  }
}

/** The program's entry, for a process of its own. */
export const MAIN = new URL("../../src/cli/main.ts", import.meta.url).pathname;

/** The words that start it, as the tasks do. */
export const PROCESS_WORDS = [
  "run",
  "--quiet",
  "--no-check",
  "--allow-read",
  "--allow-write",
  "--allow-env=INIT_CWD",
  `--config=${new URL("../../deno.json", import.meta.url).pathname}`,
  MAIN,
];
