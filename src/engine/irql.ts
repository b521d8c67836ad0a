// Interrupt request levels: one for each side that runs in a kernel, and what may not happen above PASSIVE_LEVEL
// (kmcl.md 1.4). It must not know calls: the declaration says how high each may be made.

import { SYMBOLS } from "../api/mod.ts";
import { type Behaviour, done, refuse, type Reply, type Scope } from "./behaviour.ts";
import type { World } from "./world.ts";

const LEVELS = SYMBOLS.irql;
/** Sides with a level of their own: the others are user mode, the GPU and the machine itself. */
const KERNEL_SIDES: ReadonlySet<string> = new Set(["client", "server", "kmd", "guest", "host"]);

/** The level of a side. */
export function irqlOf(world: World, side: string): number {
  return world.irqls.get(side) ?? LEVELS.PASSIVE_LEVEL;
}

/** Why a call that belongs to PASSIVE_LEVEL may not be made by a side now; null: it may, or the model lets it. */
export function irqlTrouble(world: World, side: string): string | null {
  if (world.irqls.size === 0 || world.options["irql-violation"] === "allow") return null;
  const irql = irqlOf(world, side);
  return irql === LEVELS.PASSIVE_LEVEL ? null : `called at ${levelName(irql)}, belongs to PASSIVE_LEVEL`;
}

function levelName(irql: number): string {
  return Object.entries(LEVELS).find(([, level]) => level === irql)?.[0] ?? String(irql);
}

/** Back at PASSIVE_LEVEL what was held up happens: this is what makes it. */
function setIrql({ world, event }: Scope, side: string, irql: number): Reply {
  if (!KERNEL_SIDES.has(side)) return refuse(`"${side}" has no interrupt request level of its own`);
  if (!Object.values<number>(LEVELS).includes(irql)) return refuse(`there is no interrupt request level ${irql}`);
  if (irql !== LEVELS.PASSIVE_LEVEL) world.irqls.set(side, irql);
  else if (world.irqls.delete(side)) world.callbacks.recause(side, event);
  return done();
}

/** Behaviours of interrupt request levels. */
export const IRQL_BEHAVIOURS = { SetIrql: setIrql } as const satisfies Readonly<Record<string, Behaviour>>;
