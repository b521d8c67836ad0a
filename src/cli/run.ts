// Runs a recording with one ear to the outside: Ctrl-C and its like, errors that no thread of the program caught, a full disk. Each
// ends the run, and the trace is closed as the format wants it. Must not know which flags were typed.
import { record, type Recorded, type RecordOptions, type RunControl } from "../record/mod.ts";
import { CliError, EXIT, isClosedPipe } from "./exit.ts";
import type { Io } from "./io.ts";
import type { OutputFile } from "./paths.ts";

/** What is recorded and how, but for where to. */
export type Run = Omit<RecordOptions, "output" | "onStart" | "onEvents">;

/** Records into a file, which is closed at the end. A write that fails ends the run, and what was written stays. */
export async function recordInto(output: OutputFile, io: Io, run: Run): Promise<Recorded> {
  const progress = io.progress(`record ${run.what.name}`);
  let control: RunControl = { stop() {}, fail() {}, flushIfDue() {}, finishNow() {} };
  const undo = [
    io.onInterrupt((why) => control.stop(why)),
    io.onUncaught((error) => control.fail(error)),
    io.onExit(() => {
      control.finishNow("the program ended the process");
      io.complain(`The program ended the process before it came to its end; ${output.path} holds what it did.`);
      return EXIT.cutShort;
    }),
    flushingWhileWaiting(run, () => control.flushIfDue()),
  ];
  try {
    const recorded = await record({
      ...run,
      output: { write: (bytes) => writeOn(output, bytes) },
      onStart: (given) => control = given,
      onEvents: (events) => progress.update(events),
    });
    output.close();
    return recorded;
  } catch (error) {
    if (isMistake(error)) output.discard();
    else output.close();
    throw error;
  } finally {
    for (const each of undo) each();
    progress.end();
  }
}

/** Has a run that waits, and makes no events, write what it holds; keeps no process alive. Returns what undoes it. */
function flushingWhileWaiting({ flush }: Run, act: () => void): () => void {
  if (flush === undefined || !("everyMs" in flush)) return () => {};
  const timer = setInterval(act, flush.everyMs / 4);
  Deno.unrefTimer(timer);
  return () => clearInterval(timer);
}

function writeOn(output: OutputFile, bytes: Uint8Array): void {
  try {
    output.write(bytes);
  } catch (error) {
    if (isClosedPipe(error) || error instanceof CliError) throw error;
    throw new CliError(EXIT.cutShort, `Cannot go on recording: ${String(error)}`, { cause: error });
  }
}

/** A line of a scenario that turned out not to make sense: then there is nothing worth keeping. */
function isMistake(error: unknown): boolean {
  return error instanceof Error && error.name === "NotationError";
}

/** What a program prints goes to standard error while standard output is data; returns what undoes it. */
export function programsTalkOnStderr(): () => void {
  const { log, info, debug } = console;
  Object.assign(console, { log: console.error, info: console.error, debug: console.error });
  return () => Object.assign(console, { log, info, debug });
}
