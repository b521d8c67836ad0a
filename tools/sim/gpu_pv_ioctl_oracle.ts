// Judges what each ioctl came to: it keeps the handles that results named, as a program would, and compares what the guest's
// graphics kernel answered and sent with the rules. What ran beside another ioctl is learnt from and not judged.

import { DXG_STRUCTS, dxgCommandIn, dxgCommandName, ERRNO, findIoctl, type Value } from "../../src/api/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";
import { type Layout, layout, type LayoutRecord } from "../../src/wire/mod.ts";
import { type AskedIoctl, type Expected, IOCTL_RULES, type Known, number, structsAt } from "./gpu_pv_ioctl_rules.ts";

const HANDLE = layout(4, "0 handle u32");
const STRUCTS: ReadonlyMap<string, Layout> = new Map(Object.entries(DXG_STRUCTS));
const WAIT = "WaitForSynchronizationObjectFromCpu";

/** An ioctl that is served. */
interface Served {
  readonly asked: AskedIoctl | null;
  readonly name: string;
  readonly expected: Expected;
  readonly messages: string[];
  /** Something else was served meanwhile. */
  isMixed: boolean;
}

/** The oracle of one process at a time. */
export class IoctlOracle {
  /** What does not hold, null: all does. */
  trouble: string | null = null;
  readonly adapters = new Set<number>();
  readonly handles = new Map<number, Known>();
  #isOver = false;
  readonly #served = new Map<number, Served>();

  event(happened: TraceEvent): void {
    if (!this.#isOver) this.#take(happened);
  }

  #take({ event, kind, plan, cause, of, ins, outs }: TraceEvent): void {
    const name = plan?.name;
    if (name === "EvtDxgIoctl" && kind === "callback") this.#begins(event, ins);
    if (name === "EvtDxgIoctl" && kind === "return") this.#ends(of, outs);
    const isSent = name === "VmbChannelSendSynchronousRequest" || name === "VmbPacketSend";
    if (isSent && kind !== "leave" && ins[1] instanceof Uint8Array) this.#sends(cause, ins[1]);
  }

  /** The process begins to exit, or a channel goes down: what is asked meanwhile may fail for that. */
  exits(): void {
    this.#isOver = true;
    this.adapters.clear();
    this.handles.clear();
  }

  /** It has exited: the next one begins with nothing. */
  ended(): void {
    this.#isOver = false;
  }

  #begins(event: number, [command, bytes]: readonly Value[]): void {
    const name = typeof command === "number" ? findIoctl(command)?.name ?? "" : "";
    const others = [...this.#served.values()].filter((each) => each.name !== WAIT);
    for (const each of others) if (name !== WAIT) each.isMixed = true;
    const argument = bytes instanceof Uint8Array ? bytes : new Uint8Array(0);
    const { asked, expected } = this.#judge(name, argument);
    this.#served.set(event, { asked, name, expected, messages: [], isMixed: others.length > 0 });
  }

  #judge(name: string, argument: Uint8Array): Pick<Served, "asked" | "expected"> {
    const rule = IOCTL_RULES[name];
    if (rule === undefined) return { asked: null, expected: { errno: ERRNO.ENOTTY } };
    const struct = STRUCTS.get(name) ?? HANDLE;
    if (argument.length < struct.bytes) return { asked: null, expected: { errno: ERRNO.EINVAL } };
    const fields = struct.decode(argument);
    const asked = { name, argument, fields, adapters: this.adapters, handles: this.handles };
    return { asked, expected: rule(asked) };
  }

  #sends(callback: number, bytes: Uint8Array): void {
    const name = dxgCommandName(dxgCommandIn(bytes)?.id ?? -1) ?? "";
    this.#served.get(callback)?.messages.push(name);
  }

  #ends(callback: number, [bytes, value]: readonly Value[]): void {
    const served = this.#served.get(callback);
    this.#served.delete(callback);
    const result = typeof value === "number" ? value : 0;
    if (served === undefined || !(bytes instanceof Uint8Array)) return;
    if (!served.isMixed) this.trouble ??= troubleOf(served, result);
    if (served.asked !== null && !("errno" in served.expected)) this.#learn(served.asked, bytes, result);
  }

  /** What ends is forgotten whatever the host says: the guest forgets it first. */
  #learn(asked: AskedIoctl, after: Uint8Array, result: number): void {
    const { name, fields } = asked;
    const out = { argument: after, fields: (STRUCTS.get(name) ?? HANDLE).decode(after) };
    if (/^Destroy|^CloseAdapter/.test(name)) return this.#forgets(asked);
    if (name === "Unlock2") return this.#locks(number(fields, "hAllocation"), -1);
    if (result < 0) return;
    if (name === "Lock2") return this.#locks(number(fields, "hAllocation"), 1);
    const of = number(fields, "hDevice");
    switch (name) {
      case "OpenAdapterFromLuid":
        return void this.adapters.add(number(out.fields, "hAdapter"));
      case "EnumAdapters2":
      case "EnumAdapters3":
        return this.#listed(out);
      case "CreateDevice":
        return this.#add(number(out.fields, "hDevice"), { kind: "device", of: number(fields, "hAdapter") });
      case "CreateContextVirtual":
        return this.#add(number(out.fields, "hContext"), { kind: "context", of });
      case "CreateSynchronizationObject2":
        return this.#add(number(out.fields, "hSyncObject"), { kind: "syncObject", of });
      case "CreatePagingQueue":
        this.#add(number(out.fields, "hSyncObject"), { kind: "syncObject", of });
        return this.#add(number(out.fields, "hPagingQueue"), {
          kind: "pagingQueue",
          of,
          partner: number(out.fields, "hSyncObject"),
        });
      case "CreateAllocation":
        return this.#made(asked, out);
    }
  }

  #listed(out: Pick<AskedIoctl, "argument" | "fields">): void {
    if (number(out.fields, "pAdapters") === 0) return;
    const [info] = structsAt(out, { pointer: "pAdapters", count: 1, struct: DXG_STRUCTS.AdapterInfo }) ?? [];
    if (info !== undefined) this.adapters.add(number(info, "hAdapter"));
  }

  #made({ fields }: AskedIoctl, out: { readonly argument: Uint8Array; readonly fields: LayoutRecord }): void {
    const of = number(fields, "hDevice");
    const partner = number(out.fields, "hResource");
    if (partner !== 0 && !this.handles.has(partner)) this.#add(partner, { kind: "resource", of });
    const count = number(fields, "NumAllocations");
    const struct = DXG_STRUCTS.AllocationInfo2;
    for (const info of structsAt(out, { pointer: "pAllocationInfo2", count, struct }) ?? []) {
      const isOverMemory = number(info, "pSystemMem") !== 0;
      this.#add(number(info, "hAllocation"), { kind: "allocation", of, partner, isOverMemory });
    }
  }

  #add(handle: number, known: Pick<Known, "kind" | "of"> & Partial<Known>): void {
    this.handles.set(handle, { partner: 0, isOverMemory: false, locks: 0, ...known });
  }

  #locks(handle: number, by: number): void {
    const allocation = this.handles.get(handle);
    if (allocation !== undefined && !allocation.isOverMemory) allocation.locks = Math.max(0, allocation.locks + by);
  }

  #forgets({ name, fields, ...asked }: AskedIoctl): void {
    if (name === "CloseAdapter") return this.#close(number(fields, "handle"));
    if (name !== "DestroyAllocation2") return this.#end(number(fields, "handle"));
    const resource = number(fields, "hResource");
    if (resource !== 0) return this.#end(resource);
    const count = number(fields, "AllocationCount");
    const list = structsAt({ ...asked, fields }, { pointer: "phAllocationList", count, struct: HANDLE }) ?? [];
    for (const each of list) this.#end(number(each, "handle"));
  }

  /** With its devices. */
  #close(adapter: number): void {
    this.adapters.delete(adapter);
    for (const [handle, { kind, of }] of [...this.handles]) if (kind === "device" && of === adapter) this.#end(handle);
  }

  /** With what is of it; a paging queue takes its fence along. */
  #end(handle: number): void {
    const ended = this.handles.get(handle);
    if (ended === undefined) return;
    this.handles.delete(handle);
    if (ended.kind === "pagingQueue") this.#end(ended.partner);
    for (const [each, { kind, of, partner }] of [...this.handles]) {
      const isIts = (kind !== "device" && of === handle) || (kind === "allocation" && partner === handle);
      if (isIts) this.#end(each);
    }
  }
}

function troubleOf({ name, expected, messages }: Served, result: number): string | null {
  const sent = messages.map((message) => `${message} `).join("");
  const what = name === "" ? "an ioctl that there is not" : name;
  if ("errno" in expected) {
    if (sent === "" && result === -expected.errno) return null;
    return `${what} should be refused with ${-expected.errno}, was answered ${result} after "${sent}"`;
  }
  return expected.messages.test(sent) ? null : `${what} should send ${expected.messages}, sent "${sent}"`;
}
