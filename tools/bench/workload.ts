// What a workload of the benchmark is: a program like any other, and what it says of its own information. Every file of
// this folder whose default export is a program is a workload. It must not know how anything is measured.

import type { ProgramModule } from "../../mod.ts";

/** How much a workload tells in itself, whoever writes it down: what no recorder of every event can go below. */
export interface Information {
  /** Bits that a step of the program draws and that its events show, on average. */
  readonly bitsPerStep: number;
  /** Bits that everything ahead of the first step shows. */
  readonly bitsAhead: number;
  /** The sum, for people. */
  readonly formula: string;
}

/** A workload. */
export interface Workload {
  readonly name: string;
  /** The file, for a process of its own. */
  readonly path: string;
  /** The program; its one argument is the number of steps. */
  readonly program: ProgramModule;
  readonly information: Information;
}

/** The workloads of the folder, by name. */
export async function findWorkloads(): Promise<Workload[]> {
  const found: Workload[] = [];
  for (const { name, isFile } of Deno.readDirSync(new URL(".", import.meta.url))) {
    if (!isFile || !name.endsWith(".ts")) continue;
    const url = new URL(name, import.meta.url);
    const module: unknown = await import(url.href);
    if (!isWorkloadModule(module)) continue;
    const { default: program, INFORMATION: information } = module;
    found.push({ name: name.replace(/\.ts$/, "").replaceAll("_", "-"), path: url.pathname, program, information });
  }
  return found.toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

interface WorkloadModule {
  readonly default: ProgramModule;
  readonly INFORMATION: Information;
}

function isWorkloadModule(module: unknown): module is WorkloadModule {
  return typeof module === "object" && module !== null && "default" in module && "INFORMATION" in module;
}
