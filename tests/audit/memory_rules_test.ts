// Rules of the memory behind GPADLs (G-12, G-16, G-19, X): each fires, and not where the misuse is just missed.
import { assertEquals } from "../support/assert.ts";
import { auditStory, CLOSE, DELETE, found, GIVEN_BACK, lineOf, MAP, OPEN, SHARED, UNMAP } from "./story.ts";

/** A device, a paging queue and an allocation over `$b`: `$a`, `$d`, `$q`, `$x`. */
const ALLOCATION = `
umd D3DKMTOpenAdapterFromLuid(AdapterLuid=1) -> ok {hAdapter=$a}
umd D3DKMTCreateDevice(hAdapter=$a) -> ok {hDevice=$d}
umd D3DKMTCreatePagingQueue(hDevice=$d) -> ok {hPagingQueue=$q}
umd D3DKMTCreateAllocation2(hDevice=$d, pAllocationInfo2=[{pSystemMem=$b}]) -> ok {pAllocationInfo2=[{hAllocation=$x}]}
`;
const MAP_VA = `
umd D3DKMTMapGpuVirtualAddress(hPagingQueue=$q, hAllocation=$x, SizeInPages=2) -> ok {VirtualAddress=$va, PagingFenceValue=$f}
gpu CompletePaging(hPagingQueue=$q, FenceValue=$f) -> void
`;
const END_GPU = `
umd D3DKMTDestroyAllocation2(hDevice=$d, phAllocationList=[$x]) -> ok
umd D3DKMTDestroyPagingQueue(hPagingQueue=$q) -> ok
umd D3DKMTDestroyDevice(hDevice=$d) -> ok
umd D3DKMTCloseAdapter(hAdapter=$a) -> ok
`;

function test(claim: string, story: string, expected: readonly string[]): void {
  Deno.test(claim, () => assertEquals(found(story), expected));
}

/** Rules and objects, notes too, of the X family only. */
function shared(story: string): string[] {
  return auditStory(story, { rules: (name) => name.startsWith("guest-page") }).findings.map(lineOf);
}

test(
  "G-12 an MDL is used after the unmap; before it, it is not",
  `${OPEN}${SHARED}${MAP}
host ReadMdl(Mdl=$m, Offset=0, ByteCount=4) -> h'00000000'
${UNMAP}
host WriteMdl(Mdl=$m, Offset=0, Data=h'01') -> refused
${GIVEN_BACK}`,
  ["gpadl-use-after-unmap gpadl#1"],
);
test(
  "G-12 a driver's own MDL is used after it was freed, which is no rule of GPADLs",
  `${OPEN}${SHARED}
guest CreateMdl(Buffer=$b) -> $own
guest FreeMdl(Mdl=$own) -> void
guest ReadMdl(Mdl=$own, Offset=0, ByteCount=4) -> refused
${GIVEN_BACK}`,
  [],
);
test(
  "G-16 a write through a read-only mapping; a read is legal",
  `${OPEN}${SHARED}
server VmbChannelMapGpadl(Channel=$s, Flags=READ_ONLY, GpadlHandle=$g) -> ok {Mdl=$m}
host ReadMdl(Mdl=$m, Offset=0, ByteCount=4) -> h'00000000'
host WriteMdl(Mdl=$m, Offset=0, Data=h'01') -> void
${UNMAP}${GIVEN_BACK}`,
  ["gpadl-write-through-read-only gpadl#1"],
);
test(
  "G-19 a buffer is freed while a GPADL describes it",
  `${OPEN}${SHARED}
guest FreeBuffer(Buffer=$b) -> void
${GIVEN_BACK}`,
  ["gpadl-buffer-freed-early gpadl#1"],
);
test(
  "G-19 a buffer is freed while a delete waits",
  `${OPEN}${SHARED}${MAP}
client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g) -> blocked @delete
guest FreeBuffer(Buffer=$b) -> void
${UNMAP}
leave @delete
${CLOSE}`,
  ["gpadl-buffer-freed-early gpadl#1"],
);
test(
  "G-19 a buffer is freed after the delete",
  `${OPEN}${SHARED}${DELETE}
guest FreeBuffer(Buffer=$b) -> void
${CLOSE}`,
  [],
);
test(
  "G-19 an MDL and its buffer are freed while a GPADL describes them",
  `${OPEN}
guest AllocateBuffer(ByteCount=8192) -> $b
guest CreateMdl(Buffer=$b) -> $own
client VmbChannelCreateGpadlFromMdl(Channel=$c, Mdl=$own) -> ok {GpadlHandle=$g}
guest FreeMdl(Mdl=$own) -> void
guest FreeBuffer(Buffer=$b) -> void
${GIVEN_BACK}`,
  ["gpadl-buffer-freed-early gpadl#1", "gpadl-buffer-freed-early gpadl#1"],
);
test(
  "G-19 a mapping's own MDL is freed",
  `${OPEN}${SHARED}${MAP}
host FreeMdl(Mdl=$m) -> refused
${UNMAP}${GIVEN_BACK}`,
  ["gpadl-buffer-freed-early gpadl#1"],
);

const TWO = `${OPEN}${SHARED}
client VmbChannelCreateGpadlFromBuffer(Channel=$c, Flags=READ_ONLY, Buffer=$b, ByteCount=4096) -> ok {GpadlHandle=$g2}
client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g2) -> void
${GIVEN_BACK}`;

test("X-01 a page is in two GPADLs, one of them writable", TWO, ["guest-page-in-two-gpadls gpadl#2"]);
test(
  "X-01 a page is in two GPADLs that may only be read",
  TWO.replace("Buffer=$b, ByteCount=8192", "Flags=READ_ONLY, Buffer=$b, ByteCount=8192"),
  [],
);
test(
  "X-01 two GPADLs describe different pages of a buffer",
  `${OPEN}
guest AllocateBuffer(ByteCount=8192) -> $b
guest CreateMdl(Buffer=$b, ByteCount=4096) -> $first
guest CreateMdl(Buffer=$b, ByteOffset=4096) -> $second
client VmbChannelCreateGpadlFromMdl(Channel=$c, Mdl=$first) -> ok {GpadlHandle=$g}
client VmbChannelCreateGpadlFromMdl(Channel=$c, Mdl=$second) -> ok {GpadlHandle=$g2}
client VmbChannelDeleteGpadl(Channel=$c, GpadlHandle=$g2) -> void
${GIVEN_BACK}`,
  [],
);

Deno.test("X-02 a page is behind a GPADL and a GPU address, whichever came first", () => {
  const expected = ["guest-page-behind-gpadl-and-gpuva gpadl#1"];
  assertEquals(shared(`${OPEN}${SHARED}${ALLOCATION}${MAP_VA}`), expected);
  const later = SHARED.split("\n").slice(2).join("\n");
  assertEquals(shared(`${OPEN}guest AllocateBuffer(ByteCount=8192) -> $b${ALLOCATION}${MAP_VA}${later}`), expected);
});
Deno.test("X-02 an allocation without an address, or with one that was freed, is behind none", () => {
  assertEquals(shared(`${OPEN}${SHARED}${ALLOCATION}`), []);
  const later = SHARED.split("\n").slice(2).join("\n");
  assertEquals(
    shared(`${OPEN}guest AllocateBuffer(ByteCount=8192) -> $b${ALLOCATION}${MAP_VA}
umd D3DKMTFreeGpuVirtualAddress(hAdapter=$a, BaseAddress=$va, Size=8192) -> ok
${later}`),
    [],
  );
});
Deno.test("X-03 a page is freed and given out again while a GPADL reaches it", () => {
  const story = `${OPEN}${SHARED}
guest FreeBuffer(Buffer=$b) -> void
guest AllocateBuffer(ByteCount=100) -> $b2
${DELETE}`;
  const [finding, ...others] = auditStory(story, { rules: (name) => name.startsWith("guest-page") }).findings;
  assertEquals(others, []);
  assertEquals(finding?.object?.kind, "gpadl");
  assertEquals(finding?.message, "buffer#2 got 1 page that gpadl#1 still describes");
  assertEquals(finding?.evidence.map(({ role }) => role), ["created", "freed", "reused"]);
});
Deno.test("X-03 pages are given out again after the delete, or other pages are", () => {
  assertEquals(
    shared(`${OPEN}${SHARED}${DELETE}
guest FreeBuffer(Buffer=$b) -> void
guest AllocateBuffer(ByteCount=100) -> $b2`),
    [],
  );
  assertEquals(
    shared(`${OPEN}${SHARED}
guest FreeBuffer(Buffer=$b) -> void
host AllocateBuffer(ByteCount=100) -> $b2`),
    [],
  );
});
Deno.test("X-03 a page is given out again while a GPU address reaches it, and after the allocation's end", () => {
  const begin = `guest AllocateBuffer(ByteCount=8192) -> $b${ALLOCATION}${MAP_VA}`;
  const reuse = `
guest FreeBuffer(Buffer=$b) -> void
guest AllocateBuffer(ByteCount=8192) -> $b2
guest FreeBuffer(Buffer=$b2) -> void
`;
  const early = auditStory(`${begin}${reuse}${END_GPU}`, { rules: (name) => name.startsWith("guest-page") }).findings;
  assertEquals(early.map(lineOf), ["guest-page-reused-while-shared allocation#1"]);
  assertEquals(early[0]?.evidence.map(({ role }) => role), ["created", "mapped", "freed", "reused"]);
  assertEquals(shared(`${begin}${END_GPU}${reuse}`), []);
});

Deno.test("a finding about memory tells who wrote it last, with and without memory events", () => {
  const story = `${OPEN}${SHARED}
guest WriteBuffer(Buffer=$b, Offset=10, Data=h'01') -> void
guest AllocateBuffer(ByteCount=100) -> $other
guest WriteBuffer(Buffer=$other, Offset=10, Data=h'01') -> void
${MAP}
host WriteMdl(Mdl=$m, Offset=5000, Data=h'0102') -> void`;
  const leak = auditStory(story).findings.find(({ rule }) => rule === "gpadl-leak");
  const written = leak?.evidence.at(-1);
  assertEquals([written?.role, written?.side, written?.call], ["last-written", "host", ""]);
  const mapping = auditStory(story, { evidenceLimit: 0 }).findings.find(({ rule }) => rule === "gpadl-leak");
  assertEquals(mapping?.evidence.map(({ role }) => role), ["created", "mapped"]);
});
