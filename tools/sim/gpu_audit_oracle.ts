// What an audit of a simulated run must say of frees and of what is left at the end, counted page by page and object by object;
// compared with its certain findings. It must not know how the audit comes to them.

import { type ObjectKind, OBJECTS, printObject, refsIn } from "../../src/api/mod.ts";
import type { Finding } from "../../src/audit/mod.ts";
import type { EngineObject, World } from "../../src/engine/mod.ts";
import type { GpuPages } from "./gpu_pages.ts";
import type { Disagreement } from "./simulated_world.ts";

/** Rules about frees; a stranger's free stands at the free before, so it is looked for by its evidence. */
const FREES: ReadonlySet<string> = new Set([
  "gpuva-partial-free",
  "gpuva-spanning-free",
  "gpuva-unmatched-free",
  "gpuva-double-free",
  "gpuva-free-after-auto-release",
]);
const RANGES = { mapped: "gpuva-leak", reserved: "gpuva-reservation-leak" } as const;
const OBJECT_LEAKS: ReadonlySet<string> = new Set(["allocation-leak", "gpu-object-leak", "adapter-handle-leak"]);
const LEFT: readonly ObjectKind[] = [
  "adapter",
  "device",
  "context",
  "pagingQueue",
  "resource",
  "allocation",
  "syncObject",
];

/** What the oracle knows. */
interface Known {
  readonly pages: GpuPages;
  readonly world: World;
}

/** Every difference. */
export function gpuDisagreements(findings: readonly Finding[], { pages, world }: Known): readonly Disagreement[] {
  const certain = findings.filter(({ verdict }) => verdict === "certain");
  return [
    ...freeTroubles(certain, pages),
    ...rangeTroubles(certain, { pages, world }),
    ...objectTroubles(certain, world),
  ];
}

function freeTroubles(findings: readonly Finding[], { frees }: GpuPages): Disagreement[] {
  const found = new Map<number, string>();
  for (const { rule, event } of findings) if (FREES.has(rule)) found.set(event, rule);
  return [...frees].flatMap(([event, wanted]) => {
    // What took a stranger's range is the free before.
    if (wanted === "gpuva-stranger-free") return [];
    const rule = found.get(event) ?? "";
    return rule === wanted ? [] : [{
      about: "free",
      message: `@${event}: the audit says ${rule || "nothing"}, the oracle ${wanted || "nothing"}`,
    }];
  });
}

/** Ranges that are left, by the call that obtained them; the kernel driver's end with their process. */
function rangeTroubles(findings: readonly Finding[], { pages, world }: Known): Disagreement[] {
  if (world.dying.size > 0 || pages.unordered.size > 0) return [];
  const left = new Set<string>();
  for (const { pages: all } of pages.spaces.values()) {
    for (const { obtained: { event, kind, keeper } } of all.values()) {
      if (keeper === "process") left.add(`${RANGES[kind]} @${event}`);
    }
  }
  const rules: readonly string[] = Object.values(RANGES);
  const told = new Set(
    findings.filter(({ rule }) => rules.includes(rule)).map(({ rule, event }) => `${rule} @${event}`),
  );
  return differences(left, told);
}

/** Objects that are left, but for those that the end of a live owner would release. */
function objectTroubles(findings: readonly Finding[], world: World): Disagreement[] {
  const left = new Set<string>();
  // Who waits for the end of an object has not forgotten it.
  const ending = new Set(
    world.parked.flatMap(({ name, ins }) => name.includes("Destroy") ? refsIn([...ins]) : []).map(printObject),
  );
  for (const kind of LEFT) {
    for (const object of world.all(kind)) {
      if (isOwnLeak(object) && !isEnding(object, ending)) left.add(printObject(object.ref));
    }
  }
  const told = new Set(
    findings.flatMap(({ rule, object }) => OBJECT_LEAKS.has(rule) && object !== null ? [printObject(object)] : []),
  );
  return differences(left, told);
}

/** The device is named by a destroy, and does not end with it. */
function isEnding({ kind, ref, owner }: EngineObject, ending: ReadonlySet<string>): boolean {
  if (kind === "device") return false;
  return ending.has(printObject(ref)) ||
    (owner !== null && owner.kind !== "device" && ending.has(printObject(owner.ref)));
}

function isOwnLeak({ kind, owner }: EngineObject): boolean {
  return kind === "allocation" || owner === null || !owner.alive || OBJECTS[kind].ownerEnd !== "released";
}

function differences(left: ReadonlySet<string>, told: ReadonlySet<string>): Disagreement[] {
  return [
    ...[...left].filter((each) => !told.has(each)).map((each) => ({
      about: each.split(/[ #]/)[0] ?? "",
      message: `the audit misses ${each}`,
    })),
    ...[...told].filter((each) => !left.has(each)).map((each) => ({
      about: each.split(/[ #]/)[0] ?? "",
      message: `the audit has ${each}`,
    })),
  ];
}
