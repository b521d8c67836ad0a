// The verb `audit`. Must not parse words and must not end the process.
import { notBuilt } from "./exit.ts";
import type { AuditArgs } from "./grammar.ts";
import type { Io } from "./io.ts";

/** Audits traces and prints the findings. Resolves to the exit code. */
export function runAudit(args: AuditArgs, _io: Io): Promise<number> {
  return notBuilt(args.verb);
}
