// Runs a program on a fresh engine and keeps its events, without any bytes. For tests of the driver. It must not know any program.

import { defaultOptions, type ModelOptions } from "../../src/api/mod.ts";
import { type Program, type RunEnd, type RunOptions, runProgram, Session } from "../../src/driver/mod.ts";
import { Engine } from "../../src/engine/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";

/** What a run came to, with all that happened. */
export interface Run extends RunEnd {
  readonly events: readonly TraceEvent[];
}

/** How to run; what is left out: seed 1, no sites, no arguments. */
export type RunSetup = Partial<Omit<RunOptions, "session">> & { readonly model?: Partial<ModelOptions> };

/** Runs a program to its end. */
export async function runEvents(program: Program, { model, ...setup }: RunSetup = {}): Promise<Run> {
  const events: TraceEvent[] = [];
  const engine = new Engine({ ...defaultOptions(), "initial-callbacks": "none", ...model });
  const session = new Session({ engine, sink: { event: (event) => void events.push(event) }, memory: "full" });
  const sites = { wants: () => false, folder: "" };
  const end = await runProgram(program, { seed: 1, args: [], sites, ...setup, session });
  return { ...end, events };
}

/** An event as `kind side Call`, for comparing orders. */
export function line({ kind, side, plan }: TraceEvent): string {
  return `${kind} ${side} ${plan?.name ?? ""}`;
}
