// Pages of `explain`: rules, calls and index say what the tables say.

import { CATALOGUE, findPlan, NAMED_ONLY, planOf } from "../../src/api/mod.ts";
import { RULES } from "../../src/audit/mod.ts";
import { explainCall, explainIndex, explainRule, findRule, type Paints } from "../../src/view/mod.ts";
import { callsOf, rulesOf, sourceText } from "../../src/view/explain_names.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";

const PLAIN: Paints = { bad: same, warn: same, faint: same, strong: same };
const MARKED: Paints = {
  bad: (text) => `<bad>${text}</bad>`,
  warn: (text) => `<warn>${text}</warn>`,
  faint: (text) => `<faint>${text}</faint>`,
  strong: (text) => `<strong>${text}</strong>`,
};

function same(text: string): string {
  return text;
}

function linesOf(page: string[] | null): string[] {
  assert(page !== null);
  return page;
}

Deno.test("explainRule() gives name, code, severity, clause, example and cure", () => {
  assertEquals(linesOf(explainRule("gpadl-double-unmap", PLAIN)), [
    "gpadl-double-unmap (G-05): error",
    "A GPADL was unmapped twice.",
    "",
    "source    page nc-vmbuskernelmodeclientlibapi-fn_vmb_channel_unmap_gpadl",
    "",
    "example   # given: an open channel ($s server, $c client) and the GPADL $g over the guest's buffer $b of 2 pages",
    "          server VmbChannelMapGpadl(Channel=$s, GpadlHandle=$g) -> ok {Mdl=$m}",
    "          server VmbChannelUnmapGpadl(Channel=$s, GpadlHandle=$g)",
    "          server VmbChannelUnmapGpadl(Channel=$s, GpadlHandle=$g) -> refused",
    "",
    "fix       Let one place own the mapping and unmap it once.",
    "calls     VmbChannelUnmapGpadl",
  ]);
});

Deno.test("explainRule() takes a name or a code in either case, and knows every rule", () => {
  assertEquals(explainRule("g-05", PLAIN), explainRule("gpadl-double-unmap", PLAIN));
  assertEquals(explainRule("GPADL-double-unmap", PLAIN), explainRule("G-05", PLAIN));
  assertEquals(explainRule("G-99", PLAIN), null);
  assertEquals(findRule("L-06b")?.name, "channel-start-outside-enable");
  for (const [name, { code, doc }] of Object.entries(RULES)) {
    const lines = linesOf(explainRule(code, PLAIN));
    assert(lines[0]?.startsWith(`${name} (${code}): `), name);
    assertEquals(lines[1], doc);
  }
});

Deno.test("explainRule() paints the severity by how bad it is", () => {
  assertEquals(linesOf(explainRule("gpadl-leak", MARKED))[0], "<strong>gpadl-leak</strong> (G-07): <bad>error</bad>");
  assertStringIncludes(linesOf(explainRule("G-09", MARKED))[0] ?? "", "<bad>hang</bad>");
  assertStringIncludes(linesOf(explainRule("V-02", MARKED))[0] ?? "", "<warn>warning</warn>");
  assertStringIncludes(linesOf(explainRule("V-03", MARKED))[0] ?? "", "<faint>note</faint>");
});

Deno.test("explainCall() prints a declaration page", () => {
  assertEquals(linesOf(explainCall("VmbChannelDeleteGpadl", PLAIN)), [
    "VmbChannelDeleteGpadl  KMCL calls, id 31",
    "Tears a GPADL down; waits while the server has it mapped. Exactly once for each create.",
    "",
    "VmbChannelDeleteGpadl(",
    "  in  Channel      channel  one endpoint of a VMBus channel",
    "  in  GpadlHandle  gpadl    guest memory shown to the server",
    ") -> void",
    "",
    "by        client only; the channel's other end is refused (L-09)",
    "needs     live handles, in any state",
    "refuses   after the other end, the level, handles and states, in this order:",
    "          GpadlHandle is of another channel",
    "          it is being deleted",
    "          its connection is closed (option delete-on-closed)",
    "effects   ends GpadlHandle (gpadl)",
    "blocks    it may: enter and leave can be separate events",
    "modelled  yes",
    "rules     G-08 gpadl-unmatched-delete: A GPADL was deleted that does not exist, or is being deleted.",
    "          G-09 gpadl-delete-deadlock: A delete waits for an unmap that never comes.",
    "          G-17 gpadl-map-after-delete: A GPADL was mapped after its delete began.",
    "source    page nc-vmbuskernelmodeclientlibapi-fn_vmb_channel_delete_gpadl",
  ]);
});

Deno.test("explainCall() says needs, refusal, effects, owners and structures", () => {
  const setter = linesOf(explainCall("VmbChannelInitSetFlags", PLAIN));
  assert(setter.includes("needs     Channel disabled"));
  assert(setter.includes("          otherwise STATUS_INVALID_PARAMETER_1"));
  assert(
    linesOf(explainCall("VmbChannelEnable", PLAIN)).includes("status    must be inspected, says the header (L-10)"),
  );
  const map = linesOf(explainCall("D3DKMTMapGpuVirtualAddress", PLAIN));
  assert(map.includes("effects   maps the range at VirtualAddress of SizeInPages"));
  const create = linesOf(explainCall("D3DKMTCreateAllocation2", PLAIN)).join("\n");
  assertStringIncludes(create, "creates each pAllocationInfo2.hAllocation (allocation, released with its");
  assertStringIncludes(create, "\n  in       Size  ");
  const seen = linesOf(explainCall("CommitVirtualAddressStart", PLAIN));
  assert(seen.includes("effects   the start of commit, named by Owner"));
});

Deno.test("explainCall() has a page for every declaration, by its name in either case", () => {
  for (const { name, declaration } of CATALOGUE) {
    const lines = linesOf(explainCall(name.toUpperCase(), PLAIN));
    assertEquals(lines[1], declaration.doc);
    assert(lines.every((line) => line === line.trimEnd() && !line.includes("undefined")), name);
  }
  assertEquals(explainCall("VmbChannel", PLAIN), null);
});

Deno.test("rules and calls are related by the page that a clause stands on", () => {
  assertEquals(rulesOf(planOf("VmbChannelUnmapGpadl")).map(({ code }) => code), ["G-04", "G-05", "G-12"]);
  assertEquals(rulesOf(planOf("AllocateBuffer")), []);
  const [rule] = rulesOf(planOf("D3DKMTFreeGpuVirtualAddress"));
  assertEquals(rule?.code, "V-05");
  assert(rule !== undefined);
  assertEquals(callsOf(rule).map(({ name }) => name), ["D3DKMTFreeGpuVirtualAddress"]);
});

Deno.test("sourceText() spells citation keys out as pages, and leaves the rest", () => {
  assertEquals(sourceText("fn:channel_enable"), "page nc-vmbuskernelmodeclientlibapi-fn_vmb_channel_enable");
  assertEquals(sourceText("kmcl.md 5.7"), "kmcl.md 5.7");
  assertEquals(sourceText("header annotations"), "vmbuskernelmodeclientlibapi.h annotations");
});

Deno.test("explainIndex() lists every rule and every call once", () => {
  const lines = explainIndex(PLAIN);
  for (const name of [...Object.keys(RULES), ...CATALOGUE.map((plan) => plan.name)]) {
    assertEquals(lines.filter((line) => line.split(/ +/).slice(1, 3).includes(name)).length, 1, name);
  }
});

Deno.test("a function of which only the name is public has a page that says so, whatever the letters' case", () => {
  const [head, text] = explainCall("vmbsizeofchannel", PLAIN) ?? [];
  assertEquals(head, "VmbSizeofChannel  KMCL, not declared");
  assertEquals(
    text,
    "VmbSizeofChannel is of interface version 5 of KMCL, known by name alone: no page says what its parameters are.",
  );
  for (const name of Object.keys(NAMED_ONLY)) assertEquals(findPlan(name), undefined);
});
