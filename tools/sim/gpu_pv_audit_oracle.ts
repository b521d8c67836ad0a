// What an audit of the paravirtualised path must say: of GPADLs and packets as the oracle of channels counts them, of frees and
// objects as that of GPUs does, and of GPADLs behind allocations as the messages between the two sides have it (V-32, V-33).
// It must not know how the audit comes to its findings.

import {
  DXG_MESSAGES,
  dxgCommandIn,
  dxgCommandName,
  hasSucceeded,
  isRef,
  type ModelOptions,
  type Value,
} from "../../src/api/mod.ts";
import type { Finding } from "../../src/audit/mod.ts";
import type { World } from "../../src/engine/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";
import { gpuDisagreements } from "./gpu_audit_oracle.ts";
import type { GpuPages } from "./gpu_pages.ts";
import { disagreements } from "./oracle.ts";
import type { Disagreement } from "./simulated_world.ts";

/** A GPADL behind an allocation: of which process and device. */
interface Store {
  readonly process: number;
  readonly device: number;
  readonly allocation: number;
  /** The host was told to drop it. */
  isDropped: boolean;
}

/** What is compared. */
export interface Audited {
  readonly findings: readonly Finding[];
  readonly options: ModelOptions;
  readonly pages: GpuPages;
  readonly world: World;
}

/** Every difference. */
export function pvDisagreements(events: readonly TraceEvent[], audited: Audited): readonly Disagreement[] {
  const { findings, options, pages, world } = audited;
  const stores = new StoreOracle();
  for (const event of events) stores.event(event);
  // A GPADL that an allocation left behind is told as such, and not as one that was left behind (rules.md).
  const plain = findings.map((each): Finding =>
    each.rule === "sysmem-gpadl-leak" ? { ...each, rule: "gpadl-leak" } : each
  );
  return [
    ...disagreements(events, { findings: plain, options }),
    ...gpuDisagreements(findings, { pages, world }),
    ...stores.disagreements(findings),
  ];
}

/** Follows messages and GPADLs. */
class StoreOracle {
  /** Live GPADLs by handle: object numbers. */
  readonly #gpadls = new Map<number, number>();
  readonly #stores = new Map<number, Store>();
  /** Allocations of a resource, by process and resource. */
  readonly #resources = new Map<string, number[]>();
  #downAt = Infinity;
  readonly #entered = new Map<number, TraceEvent>();
  readonly #deleting = new Set<number>();
  /** Deletes that came before the host was told, by event. */
  readonly #early = new Set<number>();

  event(event: TraceEvent): void {
    const { kind, plan, of } = event;
    if (kind === "enter") this.#entered.set(event.event, event);
    if (plan === null || (kind !== "call" && kind !== "leave" && kind !== "enter")) return;
    const asked = kind === "leave" ? this.#entered.get(of) : event;
    if (asked === undefined) return;
    // Once either end of a channel goes down there is nobody to be told.
    if (plan.name === "VmbChannelDisable") this.#downAt = Math.min(this.#downAt, asked.event);
    const isDone = event.outcome !== null && hasSucceeded(event.outcome);
    const isRefused = event.outcome?.form === "refused";
    if (plan.name.startsWith("VmbChannelCreateGpadl") && isDone) this.#created(event.outs);
    if (plan.name === "VmbChannelDeleteGpadl" && kind !== "leave" && !isRefused) this.#deletes(asked);
    if (plan.name === "VmbChannelDeleteGpadl" && kind !== "enter" && isDone) this.#deleted(asked.ins[1]);
    if (plan.name !== "VmbChannelSendSynchronousRequest" || asked.side !== "client") return;
    if (kind === "enter" || (kind === "call" && isDone)) this.#told(asked.ins[1]);
    if (kind !== "enter") this.#answered(asked.ins[1], { isDone, reply: event.outs[0] });
  }

  #created(outs: readonly Value[]): void {
    const made = outs.find((value) => isRef(value) && value.kind === "gpadl");
    if (isRef(made)) this.#gpadls.set(made.handle, made.number);
  }

  #deletes({ event, ins: [, gpadl] }: TraceEvent): void {
    if (!isRef(gpadl) || this.#deleting.has(gpadl.number)) return;
    this.#deleting.add(gpadl.number);
    if (this.#stores.get(gpadl.number)?.isDropped === false && event < this.#downAt) this.#early.add(event);
  }

  #deleted(gpadl: Value | undefined): void {
    if (!isRef(gpadl)) return;
    this.#gpadls.delete(gpadl.handle);
    this.#stores.delete(gpadl.number);
  }

  /** The host is told when a message leaves: from then on nobody can say when it acts. */
  #told(buffer: Value | undefined): void {
    const command = buffer instanceof Uint8Array ? dxgCommandIn(buffer) : null;
    if (command === null) return;
    const { process, bytes } = command;
    switch (dxgCommandName(command.id)) {
      case "DestroyAllocation":
        return this.#dropListed(process, DXG_MESSAGES.DestroyAllocation.request.decode(bytes));
      case "DestroyDevice":
        return this.#drop((store) => store.process === process && store.device === wordAt(bytes, 24));
      case "DestroyProcess":
        return this.#drop((store) => store.process === process);
    }
  }

  #answered(
    buffer: Value | undefined,
    { isDone, reply }: { readonly isDone: boolean; readonly reply: Value | undefined },
  ) {
    const command = buffer instanceof Uint8Array ? dxgCommandIn(buffer) : null;
    // A host that could not read the message answers nothing.
    if (command === null || !isDone || !(reply instanceof Uint8Array) || reply.length === 0) return;
    const { process, bytes } = command;
    const name = dxgCommandName(command.id);
    if (name === "CreateAllocation") this.#resourceOf(process, DXG_MESSAGES.CreateAllocation.reply.decode(reply));
    if (name !== "SetExistingSysmemStore" || wordAt(reply, 0) >= 0x8000_0000) return;
    const gpadl = this.#gpadls.get(wordAt(bytes, 32));
    const [device, allocation] = [wordAt(bytes, 24), wordAt(bytes, 28)];
    if (gpadl !== undefined) this.#stores.set(gpadl, { process, device, allocation, isDropped: false });
  }

  #resourceOf(
    process: number,
    { resource, allocations }: ReturnType<typeof DXG_MESSAGES.CreateAllocation.reply.decode>,
  ) {
    if (!Array.isArray(allocations) || typeof resource !== "number" || resource === 0) return;
    const key = `${process} ${resource}`;
    const made = allocations.map((each) => Number(Object.entries(each).find(([name]) => name === "handle")?.[1] ?? 0));
    this.#resources.set(key, [...this.#resources.get(key) ?? [], ...made]);
  }

  #dropListed(
    process: number,
    { resource, handles }: ReturnType<typeof DXG_MESSAGES.DestroyAllocation.request.decode>,
  ) {
    const own = resource === 0 ? handles : this.#resources.get(`${process} ${resource}`);
    const list = Array.isArray(own) ? own.map(Number) : [];
    this.#drop((store) => store.process === process && list.includes(store.allocation));
  }

  #drop(isIts: (store: Store) => boolean): void {
    for (const store of this.#stores.values()) if (isIts(store)) store.isDropped = true;
  }

  /** Deletes that were too early, and which leaks are an allocation's. */
  disagreements(findings: readonly Finding[]): Disagreement[] {
    const told = new Set(
      findings.flatMap(({ rule, event }) => rule === "sysmem-teardown-before-destroy" ? [event] : []),
    );
    const early = [...this.#early].filter((event) => !told.has(event)).map((event) => `misses @${event}`);
    const late = [...told].filter((event) => event < this.#downAt && !this.#early.has(event)).map((event) =>
      `has @${event}`
    );
    const leaks = findings.flatMap(({ rule, verdict, object }) => {
      const isIts = rule === "sysmem-gpadl-leak";
      if ((rule !== "gpadl-leak" && !isIts) || verdict !== "certain" || object === null) return [];
      return this.#stores.has(object.number) === isIts ? [] : [`${rule} gpadl#${object.number}`];
    });
    return [
      ...[...early, ...late].map((message) => ({ about: "V-33", message: `the audit ${message}` })),
      ...leaks.map((leak) => ({ about: "V-32", message: `the audit has ${leak}, the oracle the other kind of leak` })),
    ];
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true);
}
