// A small capture with a story, as raw log bytes: what two processes do with GPU addresses while Windows logs it. For
// the sample trace and for tests that want more than single events. Made up, deterministic, without any defect.
//
// The capture begins while a process (880) is going: the ends of its mapping, range, allocation and address space are
// seen without their starts. Then Windows says what is there (rundown): one mapping of a process (1040), which goes
// later. A new process (5120) maps three allocations on a paravirtualised GPU, removes two of the mappings, and still
// holds the third when the capture ends.

import { DXGKRNL_EVENTS } from "../../src/import/dxgkrnl_schema.ts";
import { type EtlWriterEvent, writeEtl } from "./etl_writer.ts";

/** Who acts in the story. */
interface Actor {
  readonly cpu: number;
  readonly pid: number;
  readonly tid: number;
}

const LEAVING: Actor = { cpu: 1, pid: 880, tid: 884 };
const LOGGER: Actor = { cpu: 0, pid: 900, tid: 912 };
const OLD: Actor = { cpu: 1, pid: 1040, tid: 1044 };
const NEW: Actor = { cpu: 0, pid: 5120, tid: 5124 };
const SYSTEM: Actor = { cpu: 2, pid: 4, tid: 640 };

const ADAPTER = 0xffffb10a_00a10000n;
const FREE = 0x11n;
const USED = 0x13n;
/** `Flags` of a mapping: its low nibble is the owner's type, 1 an allocation. */
const OWNED_BY_ALLOCATION = 1n;
const SPACE_START = 0x1_0000n;
const SPACE_END = 0x1_0000_0000n;
const PAGE_BYTES = 4096n;
const START_TICKS = 5_000_000n;
/** 2024-03-01 09:30:00 UTC. */
const START_TIME = 133_537_590_000_000_000n;
/** Ten ticks of 100 ns: every step is a microsecond. */
const TICKS_PER_STEP = 10n;
const GPUVA_KEYWORD = 0x8000_0000_0010_0000n;
const OPCODES = { DCStart: 3, Start: 1, Stop: 2 } as const;

/** An allocation, with the handles by which events name it. */
interface Buffer {
  readonly global: bigint;
  readonly local: bigint;
  readonly thunk: bigint;
  readonly device: bigint;
  readonly sizeInBytes: bigint;
}

function makeBuffer(number: number, sizeInBytes: bigint): Buffer {
  const place = BigInt(number) * 0x1000n;
  return {
    global: 0xffffb10a_10000010n + place,
    local: 0xffffb10a_20000010n + place,
    thunk: 0x4000_0000n + BigInt(number) * 0x40n,
    device: 0xffffb10a_30000000n,
    sizeInBytes,
  };
}

const EARLY = makeBuffer(1, 0x1_0000n);
const KEPT = makeBuffer(2, 0x4_0000n);
const FIRST = makeBuffer(3, 0x4_0000n);
const SECOND = makeBuffer(4, 0x10_0000n);
const THIRD = makeBuffer(5, 0x8000n);

/** A range of addresses, as events give it. */
interface Span {
  readonly StartAddress: bigint;
  readonly EndAddress: bigint;
}

/** A node of an address tree. */
interface Node extends Span {
  readonly Flags: bigint;
}

function span(start: bigint, sizeInBytes: bigint): Span {
  return { StartAddress: start, EndAddress: start + sizeInBytes };
}

/** Writes down what happens, each event a microsecond after the last. */
class Story {
  readonly events: EtlWriterEvent[] = [];
  #ticks = START_TICKS;

  /** The newest version of a known event that Windows 11 21H2 writes. */
  tell(actor: Actor, name: string, fields: Readonly<Record<string, bigint>>): void {
    const [id, table] = Object.entries(DXGKRNL_EVENTS).find(([, { name: each }]) => each === name) ?? [];
    if (id === undefined || table === undefined) throw new TypeError(`Tell of a known event: ${name} is none`);
    const version = Math.max(...Object.keys(table.versions).map(Number).filter((each) => each <= 3));
    const opcode = Object.entries(OPCODES).find(([edge]) => name.endsWith(edge))?.[1] ?? 0;
    const timestamp = this.#ticks += TICKS_PER_STEP;
    this.events.push({ ...actor, timestamp, id: Number(id), version, fields, opcode, keyword: GPUVA_KEYWORD });
  }

  /** An event that no table knows: 340, a lock. */
  tellOther(actor: Actor): void {
    const timestamp = this.#ticks += TICKS_PER_STEP;
    this.events.push({ ...actor, timestamp, id: 340, version: 0, payload: new Uint8Array(16) });
  }

  /** Time passes. */
  wait(microseconds: bigint): void {
    this.#ticks += microseconds * TICKS_PER_STEP;
  }
}

/** One process's address space: its nodes cover it without a gap, and every change of a node is told. */
class Space {
  readonly #story: Story;
  readonly #actor: Actor;
  readonly #allocator: bigint;
  #nodes: readonly Node[];

  constructor(story: Story, actor: Actor, allocator: bigint) {
    this.#story = story;
    this.#actor = actor;
    this.#allocator = allocator;
    this.#nodes = [{ StartAddress: SPACE_START, EndAddress: SPACE_END, Flags: FREE }];
  }

  allocatorFields(): Readonly<Record<string, bigint>> {
    return { pVaAllocator: this.#allocator, hProcessId: BigInt(this.#actor.pid), pDxgAdapter: ADAPTER };
  }

  /** The process gets its space: one free node. */
  begin(): void {
    this.#story.tell(this.#actor, "GpuVirtualAddressAllocatorStart", this.allocatorFields());
    for (const node of this.#nodes) this.#tellNode("Start", node);
  }

  /** The logger tells of a space that is there, with a buffer mapped since before the capture. */
  rundown(start: bigint, buffer: Buffer): void {
    const used = span(start, buffer.sizeInBytes);
    this.#story.tell(LOGGER, "GpuVirtualAddressAllocatorDCStart", this.allocatorFields());
    this.#nodes = this.#cut(used, USED);
    for (const node of this.#nodes) this.#tellNode("DCStart", node, LOGGER);
    this.#tellMapping("DCStart", used, buffer, LOGGER);
  }

  /** A space of which the capture sees only the end. */
  end(start: bigint, buffer: Buffer): void {
    const used = span(start, buffer.sizeInBytes);
    this.#nodes = this.#cut(used, USED);
    this.#tellMapping("Stop", used, buffer);
    for (const node of this.#nodes) this.#tellNode("Stop", node);
    this.#story.tell(this.#actor, "GpuVirtualAddressAllocatorStop", this.allocatorFields());
  }

  /** A range is taken out of the free node around it, mapped and committed. */
  map(start: bigint, buffer: Buffer): void {
    const used = span(start, buffer.sizeInBytes);
    this.#change(this.#cut(used, USED));
    this.#tellMapping("Start", used, buffer);
    this.#story.tell(this.#actor, "CommitVirtualAddressStart", {
      Owner: buffer.local,
      OwnerType: OWNED_BY_ALLOCATION,
      VaRangeStart: start,
      VaRangeSize: buffer.sizeInBytes / PAGE_BYTES,
    });
    this.#story.tell(SYSTEM, "PagingOpUpdatePageTable", { pDxgAdapter: ADAPTER, FirstPteVirtualAddress: start });
    this.#story.tell(this.#actor, "CommitVirtualAddressStop", { VidMmAlloc: buffer.local });
  }

  /** A mapping goes, and its range grows together with its free neighbours. */
  unmap(start: bigint, buffer: Buffer): void {
    const used = span(start, buffer.sizeInBytes);
    this.#tellMapping("Stop", used, buffer);
    this.#change(joined(this.#cut(used, FREE)));
    this.#story.tell(SYSTEM, "PagingOpFlushTlb", { pDxgAdapter: ADAPTER, ...asVirtual(used) });
  }

  /** The nodes with this range a node of its own. */
  #cut(range: Span, Flags: bigint): readonly Node[] {
    return this.#nodes.flatMap((node) => {
      if (range.StartAddress < node.StartAddress || range.EndAddress > node.EndAddress) return [node];
      const before = { ...node, EndAddress: range.StartAddress };
      const after = { ...node, StartAddress: range.EndAddress };
      return [before, { ...range, Flags }, after].filter((each) => each.StartAddress < each.EndAddress);
    });
  }

  #change(next: readonly Node[]): void {
    const isIn = (list: typeof next, node: Node) => list.some((each) => isSame(each, node));
    for (const node of this.#nodes) if (!isIn(next, node)) this.#tellNode("Stop", node);
    for (const node of next) if (!isIn(this.#nodes, node)) this.#tellNode("Start", node);
    this.#nodes = next;
  }

  #tellNode(edge: keyof typeof OPCODES, node: Node, actor = this.#actor): void {
    this.#story.tell(actor, `GpuVirtualAddressRange${edge}`, { pVaAllocator: this.#allocator, ...node });
  }

  #tellMapping(edge: keyof typeof OPCODES, range: Span, buffer: Buffer, actor = this.#actor): void {
    this.#story.tell(actor, `GpuVirtualAddressRangeMapping${edge}`, {
      pVaAllocator: this.#allocator,
      pOwner: buffer.local,
      ...range,
      Protection: 1n,
      Flags: OWNED_BY_ALLOCATION,
      MappedAllocationSize: buffer.sizeInBytes,
    });
  }
}

function isSame(left: Node, right: Node): boolean {
  return left.StartAddress === right.StartAddress && left.EndAddress === right.EndAddress && left.Flags === right.Flags;
}

function joined(nodes: readonly Node[]): readonly Node[] {
  return nodes.reduce<readonly Node[]>((done, node) => {
    const last = done.at(-1);
    const joins = last !== undefined && last.Flags === FREE && node.Flags === FREE;
    return joins ? [...done.slice(0, -1), { ...last, EndAddress: node.EndAddress }] : [...done, node];
  }, []);
}

function asVirtual({ StartAddress, EndAddress }: Span): Readonly<Record<string, bigint>> {
  return { StartVirtualAddress: StartAddress, EndVirtualAddress: EndAddress };
}

/** What an allocation's two events are about: the adapter's event, and that of the device that opened it. */
interface BufferEdge {
  readonly edge: keyof typeof OPCODES;
  readonly owner: Actor;
  readonly buffer: Buffer;
}

function tellBuffer(story: Story, actor: Actor, { edge, owner, buffer }: BufferEdge): void {
  const common = {
    hVidMmGlobalAlloc: buffer.global,
    hProcessId: BigInt(owner.pid),
    hDevice: buffer.device,
    pDxgAdapter: ADAPTER,
  };
  const events = [
    { name: "AdapterAllocation", fields: { allocSize: buffer.sizeInBytes, Priority: 0x7800_0000n } },
    {
      name: "DeviceAllocation",
      fields: { hVidMmAlloc: buffer.local, hThunkAllocation: buffer.thunk, ...other(owner) },
    },
  ];
  for (const { name, fields } of edge === "Stop" ? events.toReversed() : events) {
    story.tell(actor, `${name}${edge}`, { ...common, ...fields });
  }
}

/** The new process is a guest's, so its allocations have a handle there too. */
function other(owner: Actor): Readonly<Record<string, bigint>> {
  return owner === NEW ? { hOtherPartitionHandle: 0x4000_0400n } : {};
}

function destroyBuffer(story: Story, owner: Actor, buffer: Buffer): void {
  story.tell(owner, "TerminateAllocation", { hVidMmAlloc: buffer.local });
  story.tell(owner, "ProcessTerminateAllocation", { hVidMmAlloc: buffer.local });
  tellBuffer(story, owner, { edge: "Stop", owner, buffer });
}

/** The log's bytes. The same on every call. */
export function captureStory(): Uint8Array<ArrayBuffer> {
  const story = new Story();
  tellStory(story);
  return writeEtl(story.events, {
    bufferSizes: [1024, 2048],
    startTicks: START_TICKS,
    startTime: START_TIME,
    build: 22000,
    cpuCount: 3,
    sessionName: "gpuva",
  });
}

function tellStory(story: Story): void {
  new Space(story, LEAVING, 0xffffb10a_40000010n).end(0x20_0000n, EARLY);
  destroyBuffer(story, LEAVING, EARLY);
  const oldSpace = new Space(story, OLD, 0xffffb10a_40001010n);
  tellBuffer(story, LOGGER, { edge: "DCStart", owner: OLD, buffer: KEPT });
  oldSpace.rundown(0x10_0000n, KEPT);
  story.wait(500n);
  const space = new Space(story, NEW, 0xffffb10a_40002010n);
  space.begin();
  for (const [start, buffer] of [[0x40_0000n, FIRST], [0x80_0000n, SECOND], [0x44_0000n, THIRD]] as const) {
    tellBuffer(story, NEW, { edge: "Start", owner: NEW, buffer });
    space.map(start, buffer);
    story.wait(100n);
  }
  oldSpace.unmap(0x10_0000n, KEPT);
  destroyBuffer(story, OLD, KEPT);
  story.tellOther(SYSTEM);
  space.unmap(0x40_0000n, FIRST);
  destroyBuffer(story, NEW, FIRST);
  space.unmap(0x80_0000n, SECOND);
  destroyBuffer(story, NEW, SECOND);
}
