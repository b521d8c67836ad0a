// Turns ioctls of /dev/dxg, as numbers and argument bytes, into D3DKMT calls. Rules: gpuva.md 5.2, 5.3.
// It must not know logs. Handles become objects: one is new where a call creates it, or where it is first named.
//
// Left out: what stands in private driver data (so an allocation's Size is 0) and where existing memory is; the structure has
// no other place for them.

import {
  type CallPlan,
  DXG_STRUCTS,
  type DxgIoctl,
  findIoctl,
  findPlan,
  type ObjectKind,
  type Outcome,
  type ParamPlan,
  type Ref,
  statusOfIoctl,
  SYMBOLS,
  type Value,
} from "../api/mod.ts";
import { type Layout, layout, type LayoutRecord, type LayoutValue } from "../wire/mod.ts";

/** What an ioctl's argument was before and after it, and what stood behind its pointers, as far as a log has it. */
export interface DxgArguments {
  /** The command, such as 0xc068470c. */
  readonly command: number;
  /** The structure as the program gave it. */
  readonly before: Uint8Array;
  /** The structure after the ioctl. */
  readonly after: Uint8Array;
  /** A status of 0 or above, or a negative errno. */
  readonly result: number;
  /** Bytes of the program's memory; null, or left out: the log does not have them. */
  readonly memory?: (address: bigint, byteCount: number, when: "before" | "after") => Uint8Array | null;
}

/** What an ioctl is: a call, one that no declaration stands for, or one that cannot be used. */
export type DxgDecoded =
  | {
    readonly form: "call";
    readonly plan: CallPlan;
    readonly ins: readonly Value[];
    readonly outs: readonly Value[];
    readonly outcome: Outcome;
  }
  | { readonly form: "skipped" }
  | { readonly form: "problem"; readonly message: string };

const STRUCTS: ReadonlyMap<string, Layout> = new Map(Object.entries(DXG_STRUCTS));
/** An argument that is one handle. */
const HANDLE = layout(4, "0 handle u32");
/** Commands whose call has another name. */
const CALL_NAMES: Readonly<Record<string, string>> = {
  CreateAllocation: "D3DKMTCreateAllocation2",
  EnumAdapters3: "D3DKMTEnumAdapters2",
};
const WAIT_ANY = 1;
const MAX_LISTED = 10_240;
const { UNMAP, COPY } = SYMBOLS.updateOperation;

/** A list behind a pointer: the parameter that takes it, the fields that say where it is and how long. */
interface ListRule {
  readonly param: string;
  readonly pointer: string;
  readonly count: string;
  readonly element: "u32" | "u64" | Layout;
}

const ALLOCATIONS = {
  param: "AllocationList",
  pointer: "AllocationList",
  count: "NumAllocations",
  element: "u32",
} as const;
const OBJECTS = {
  param: "ObjectHandleArray",
  pointer: "ObjectHandleArray",
  count: "ObjectCount",
  element: "u32",
} as const;
const VALUES = { param: "FenceValueArray", count: "ObjectCount", element: "u64" } as const;
const CPU_FENCES = [OBJECTS, { ...VALUES, pointer: "FenceValueArray" }];
const GPU_FENCES = [OBJECTS, { ...VALUES, pointer: "MonitoredFenceValueArray" }];
const ADAPTERS = {
  param: "pAdapters",
  pointer: "pAdapters",
  count: "NumAdapters",
  element: DXG_STRUCTS.AdapterInfo,
};

const LISTS: Readonly<Record<string, readonly ListRule[] | undefined>> = {
  CreateAllocation: [{
    param: "pAllocationInfo2",
    pointer: "pAllocationInfo2",
    count: "NumAllocations",
    element: DXG_STRUCTS.AllocationInfo2,
  }],
  DestroyAllocation2: [{
    param: "phAllocationList",
    pointer: "phAllocationList",
    count: "AllocationCount",
    element: "u32",
  }],
  MakeResident: [ALLOCATIONS],
  Evict: [ALLOCATIONS],
  UpdateGpuVirtualAddress: [{
    param: "Operations",
    pointer: "Operations",
    count: "NumOperations",
    element: DXG_STRUCTS.UpdateOperation,
  }],
  WaitForSynchronizationObjectFromCpu: CPU_FENCES,
  SignalSynchronizationObjectFromCpu: CPU_FENCES,
  WaitForSynchronizationObjectFromGpu: GPU_FENCES,
  SignalSynchronizationObjectFromGpu: GPU_FENCES,
};
/** Lists that only come back. */
const OUT_LISTS: Readonly<Record<string, readonly ListRule[] | undefined>> = {
  EnumAdapters2: [ADAPTERS],
  EnumAdapters3: [ADAPTERS],
};

/** Decodes the ioctls of one process, in order: it keeps which object a handle is. */
export class DxgDecoder {
  readonly #objects = new Map<string, number>();
  readonly #counts = new Map<ObjectKind, number>();

  /** What an ioctl is. A command of another driver, or of another size, is skipped. */
  decode(given: DxgArguments): DxgDecoded {
    const ioctl = findIoctl(given.command);
    const plan = ioctl === null ? undefined : findPlan(CALL_NAMES[ioctl.name] ?? `D3DKMT${ioctl.name}`);
    const struct = ioctl === null
      ? undefined
      : STRUCTS.get(ioctl.name) ?? (ioctl.bytes === HANDLE.bytes ? HANDLE : undefined);
    if (ioctl === null || plan === undefined || struct === undefined) return { form: "skipped" };
    const short = [given.before, given.after].find(({ length }) => length < ioctl.bytes);
    if (short !== undefined) {
      return { form: "problem", message: `the argument has ${short.length} bytes, wanted ${ioctl.bytes}` };
    }
    const before = this.#fields({ ioctl, struct, given, plan }, "before");
    const after = given.result < 0 ? {} : this.#fields({ ioctl, struct, given, plan }, "after");
    if (typeof before === "string") return { form: "problem", message: before };
    if (typeof after === "string") return { form: "problem", message: after };
    const created = createdBy(plan);
    return {
      form: "call",
      plan,
      ins: plan.ins.map((param) => this.#value(param, before[param.name], new Set())),
      outs: given.result < 0 ? [] : plan.outs.map((param) => this.#value(param, after[param.name], created)),
      outcome: { form: "status", status: statusOfIoctl(given.result) },
    };
  }

  /** The parameters' raw values by name, or what is wrong. */
  #fields(
    { ioctl, struct, given, plan }: {
      readonly ioctl: DxgIoctl;
      readonly struct: Layout;
      readonly given: DxgArguments;
      readonly plan: CallPlan;
    },
    when: "before" | "after",
  ): LayoutRecord | string {
    const fields = struct.decode(given[when]);
    const lists: { [param: string]: LayoutValue } = {};
    const rules = [...LISTS[ioctl.name] ?? [], ...(when === "after" ? OUT_LISTS[ioctl.name] ?? [] : [])];
    for (const rule of rules) {
      const list = listOf(rule, fields, { given, when });
      if (typeof list === "string") return list;
      lists[rule.param] = list;
    }
    const [first] = plan.ins;
    const single = struct === HANDLE && first !== undefined ? { [first.name]: fields["handle"] ?? 0 } : {};
    return { ...fields, ...single, ...lists, ...this.#special(ioctl.name, fields, lists) };
  }

  /** Where a structure and its call differ. */
  #special(name: string, fields: LayoutRecord, lists: LayoutRecord): LayoutRecord {
    switch (name) {
      case "ReserveGpuVirtualAddress": {
        const handle = numberOf(fields["hPagingQueue"]);
        return this.#objects.has(`adapter ${handle}`) ? { hAdapter: handle, hPagingQueue: 0 } : {};
      }
      case "WaitForSynchronizationObjectFromCpu":
        return { WaitAny: numberOf(fields["Flags"]) & WAIT_ANY };
      case "SubmitCommand": {
        const contexts = Array.isArray(fields["BroadcastContext"]) ? fields["BroadcastContext"] : [];
        return { BroadcastContext: contexts.slice(0, numberOf(fields["BroadcastContextCount"])) };
      }
      case "GetDeviceState": {
        const [execution = 0] = Array.isArray(fields["words"]) ? fields["words"] : [];
        const isFault = fields["StateType"] === SYMBOLS.deviceStateType.PAGE_FAULT;
        return isFault ? {} : { ExecutionState: execution, FaultedVirtualAddress: 0n, PageFaultFlags: 0 };
      }
      case "CreateAllocation":
        return {
          pAllocationInfo2: mapped(lists["pAllocationInfo2"], (info) => ({ ...info, pSystemMem: 0, Size: 0n })),
        };
      case "UpdateGpuVirtualAddress":
        return { Operations: mapped(lists["Operations"], operationOf) };
      default:
        return {};
    }
  }

  #value(param: ParamPlan, raw: LayoutValue | undefined, created: ReadonlySet<string>): Value {
    if (param.isArray) {
      const list = Array.isArray(raw) ? raw : [];
      return list.map((each: LayoutValue) => this.#element(param, each, created));
    }
    return this.#element(param, raw ?? 0, created);
  }

  #element(param: ParamPlan, raw: LayoutValue, created: ReadonlySet<string>): Value {
    if (param.storage === "struct") {
      const record = recordOf(raw);
      const isOut = created.has("");
      const members = param.members.filter((member) => isOut ? member.goesOut : member.goesIn);
      return Object.fromEntries(
        members.map((member) => [member.name, this.#value(member, record[member.name], created)]),
      );
    }
    if (param.kind !== null) return this.#object(param.kind, numberOf(raw), created.has(param.name));
    if (param.storage === "u64" || param.storage === "i64") {
      return typeof raw === "bigint" ? raw : BigInt(numberOf(raw));
    }
    return param.storage === "bool" ? numberOf(raw) !== 0 : numberOf(raw);
  }

  #object(kind: ObjectKind, handle: number, isNew: boolean): Ref | null {
    if (handle === 0) return null;
    const key = `${kind} ${handle}`;
    const known = this.#objects.get(key);
    if (known !== undefined && !isNew) return { kind, number: known, handle };
    const number = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, number);
    this.#objects.set(key, number);
    return { kind, number, handle };
  }
}

/** The names of what a call's effects create; with the empty name, which says that these are outputs. */
function createdBy(plan: CallPlan): ReadonlySet<string> {
  const effects: readonly string[] = plan.declaration.effects ?? [];
  const names = effects.flatMap((effect) => /^create (?:\w+\.)?(\w+)/.exec(effect)?.[1] ?? []);
  return new Set(["", ...names]);
}

function listOf(
  { param, pointer, count, element }: ListRule,
  fields: LayoutRecord,
  { given, when }: { readonly given: DxgArguments; readonly when: "before" | "after" },
): readonly LayoutValue[] | string {
  const [length, address] = [numberOf(fields[count]), fields[pointer]];
  if (length === 0 || address === 0n) return [];
  if (length > MAX_LISTED) return `${count} is ${length}, at most ${MAX_LISTED} is possible`;
  const size = element === "u32" ? 4 : element === "u64" ? 8 : element.bytes;
  const bytes = typeof address === "bigint" ? given.memory?.(address, length * size, when) ?? null : null;
  if (bytes === null || bytes.length < length * size) return `the ${length} elements of ${param} are not in the log`;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length }, (_, index): LayoutValue => {
    const at = index * size;
    if (element === "u32") return view.getUint32(at, true);
    return element === "u64" ? view.getBigUint64(at, true) : element.decode(bytes.subarray(at, at + size));
  });
}

/** An operation of an update by the DDI's names: its seven words mean what its type says (gpuva.md 2.1). */
function operationOf({ OperationType = 0, words = [] }: LayoutRecord): LayoutRecord {
  const [first = 0n, SizeInBytes = 0n, third = 0n, offset = 0n, size = 0n, protection = 0n, driver = 0n] =
    Array.isArray(words) ? words : [];
  if (OperationType === COPY) return { OperationType, SourceAddress: first, SizeInBytes, DestAddress: third };
  if (OperationType === UNMAP) return { OperationType, BaseAddress: first, SizeInBytes, Protection: third };
  return {
    OperationType,
    BaseAddress: first,
    SizeInBytes,
    hAllocation: Number(BigInt.asUintN(32, typeof third === "bigint" ? third : 0n)),
    AllocationOffsetInBytes: offset,
    AllocationSizeInBytes: size,
    Protection: protection,
    DriverProtection: driver,
  };
}

function mapped(list: LayoutValue | undefined, change: (record: LayoutRecord) => LayoutRecord): LayoutValue {
  return Array.isArray(list) ? list.map((each: LayoutValue) => change(recordOf(each))) : [];
}

function recordOf(value: LayoutValue): LayoutRecord {
  return isRecord(value) ? value : {};
}

function isRecord(value: LayoutValue): value is LayoutRecord {
  return typeof value === "object" && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function numberOf(value: LayoutValue | undefined): number {
  return typeof value === "number" ? value : typeof value === "bigint" ? Number(value) : 0;
}
