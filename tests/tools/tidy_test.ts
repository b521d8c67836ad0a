// The checked rules, each against a small file that breaks it and one that nearly does.
// Bad code stands inside strings here, where the rules do not look.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { catalogueFailures, type Declared, unexercised } from "../../tools/tidy/catalogue.ts";
import { checkTree, findIn, SOURCE_RULES } from "../../tools/tidy/check.ts";
import { withoutExceptions } from "../../tools/tidy/exceptions.ts";
import { floorBreach, targetOf } from "../../tools/tidy/floors.ts";
import { type Failure, failureText } from "../../tools/tidy/rule.ts";
import { scanSource } from "../../tools/tidy/source.ts";
import { machineNames, missingDoors, vagueNames } from "../../tools/tidy/tree.ts";

/** `line rule` of each failure in a file of this text. */
function found(text: string, path = "src/engine/thing.ts"): string[] {
  const source = scanSource({ path, text });
  return SOURCE_RULES.flatMap((rule) => findIn(rule, source)).map(({ line, rule }) => `${line} ${rule}`);
}

/** The same for lines under an opening comment. */
function foundBelow(lines: string, path?: string): string[] {
  return found(`// What it is for.\n${lines}\n`, path);
}

function repeat(line: string, count: number): string {
  return Array.from({ length: count }, () => line).join("\n");
}

Deno.test("scanSource() blanks strings, templates, patterns and comments, and keeps positions", () => {
  const text =
    'const a = "x // y"; // tail\nconst b = `t ${f("q") + `in ${1}`} {`;\nconst c = /[/"]{2}/g.test(a) / 2;\n';
  const { code, comments } = scanSource({ path: "src/api/x.ts", text });
  assertEquals([code.length, comments.length], [text.length, text.length]);
  assertEquals(code.split("\n")[0], 'const a = "      ";        ');
  assertEquals(code.split("\n")[1], 'const b = `   {f(" ") + `    {1}`}  `;');
  assertEquals(code.split("\n")[2], "const c = /       /g.test(a) / 2;");
  assertEquals(comments.trim(), "// tail");
});

Deno.test("scanSource() gives every import and re-export with its line", () => {
  const text =
    'import { a } from "../api/mod.ts";\nimport "x";\nexport * from "./b.ts";\nconst c = await import("./c.ts");\n';
  assertEquals(scanSource({ path: "src/a/b.ts", text }).imports, [
    { specifier: "../api/mod.ts", line: 1 },
    { specifier: "x", line: 2 },
    { specifier: "./b.ts", line: 3 },
    { specifier: "./c.ts", line: 4 },
  ]);
});

Deno.test("floorBreach() admits lower floors, no neighbour, and the engine only to record and replay", () => {
  assertEquals(floorBreach("engine", "api"), null);
  assertEquals(floorBreach("driver", "engine"), null);
  assertEquals(floorBreach("record", "engine"), null);
  assertEquals(floorBreach("cli", "engine"), null);
  assertEquals(floorBreach("api", "trace"), "api (floor 1) imports trace (floor 2)");
  assertEquals(floorBreach("trace", "engine"), "trace imports its neighbour engine (floor 2)");
  assertEquals(floorBreach("audit", "record"), "audit imports its neighbour record (floor 4)");
  assertStringIncludes(floorBreach("audit", "engine") ?? "", "only record and replay");
  assertStringIncludes(floorBreach("view", "engine") ?? "", "only record and replay");
  assertEquals(floorBreach("attic", "api"), "attic stands on no floor");
});

Deno.test("targetOf() follows a relative specifier from the importing file", () => {
  assertEquals(targetOf("src/api/notation/print.ts", "../values.ts"), "src/api/values.ts");
  assertEquals(targetOf("src/view/mod.ts", "./dump.ts"), "src/view/dump.ts");
  assertEquals(targetOf("src/wire/block.ts", "node:zlib"), null);
});

Deno.test("imports go down, through doors, and by names of the import map", () => {
  assertEquals(foundBelow('import { a } from "../api/mod.ts";'), []);
  assertEquals(foundBelow('import { a } from "../api/values.ts";'), ["2 doors"]);
  assertEquals(foundBelow('import type { a } from "../driver/mod.ts";'), ["2 floors"]);
  assertEquals(foundBelow('import { a } from "../../tests/support/model.ts";'), ["2 floors"]);
  assertEquals(foundBelow('import { a } from "maptrail";'), ["2 floors"]);
  assertEquals(foundBelow('import { a } from "npm:a@1";'), ["2 packages"]);
  assertEquals(foundBelow('import { a } from "node:zlib";'), ["2 packages"]);
  assertEquals(foundBelow('import { a } from "node:zlib";', "src/wire/a.ts"), []);
  assertEquals(foundBelow('import { a } from "../../src/api/values.ts";', "tests/api/a_test.ts"), []);
  assertEquals(foundBelow('import { a } from "../src/api/values.ts";', "tools/a.ts"), ["2 doors"]);
});

Deno.test("file-size admits 400 lines and no more", () => {
  assertEquals(found(`// Long.\n${repeat("f();", 399)}\n`), []);
  assertEquals(found(`// Long.\n${repeat("f();", 400)}\n`), ["401 file-size"]);
});

Deno.test("function-size counts functions, methods and arrows from head to closing brace", () => {
  const body = repeat("  f();", 59);
  assertEquals(foundBelow(`function a(b: B): { c: C } | null {\n${repeat("  f();", 58)}\n}`), []);
  assertEquals(foundBelow(`function a(b: B): { c: C } | null {\n${body}\n}`), ["2 function-size"]);
  assertEquals(foundBelow(`class A {\n  get b(): Map<string, { c: C }> {\n${body}\n  }\n}`), ["3 function-size"]);
  assertEquals(foundBelow(`g((a, b) => {\n${body}\n});`), ["2 function-size"]);
  assertEquals(foundBelow(`function a(): (b: B) => boolean {\n  f();\n}\n${body}`), []);
  assertEquals(foundBelow(`if (a) {\n${body}\n}\nswitch (b) {\n${body}\n}`), []);
});

Deno.test("top-level-arrow is about functions at top level alone", () => {
  assertEquals(foundBelow("const a = (b: B): C => b.c;"), ["2 top-level-arrow"]);
  assertEquals(foundBelow("const a = async b => b;"), ["2 top-level-arrow"]);
  assertEquals(foundBelow("const a: (b: B) => C = <T>(b: T) => b;"), ["2 top-level-arrow"]);
  assertEquals(foundBelow("const a = (b + c) * 2;\nconst d = list.map((e) => e);\nconst g: () => void = h;"), []);
  assertEquals(foundBelow("function a() {\n  const b = (c: C) => c;\n}"), []);
});

Deno.test("any is refused as a type, not as a name", () => {
  assertEquals(foundBelow("let a: any = b;\nlet c: Map<string, any>;"), ["2 any", "3 any"]);
  assertEquals(foundBelow("const any = list.any();\nPromise.any([any.event]);\nf({ any: 1 });"), []);
});

Deno.test("cast refuses as, but for as const, renames and mapped types' keys", () => {
  assertEquals(foundBelow("f(a as B);\ng({} as unknown);"), ["2 cast", "3 cast"]);
  assertEquals(foundBelow("const a = [1] as const;"), []);
  assertEquals(foundBelow('import { a as b } from "./a.ts";\nimport * as c from "./c.ts";\nexport { b as d };'), []);
  assertEquals(foundBelow("type A<M> = { [K in keyof M as B<M[K]> extends true ? K : never]: C };"), []);
  assertEquals(foundBelow('// as any\nf(`as a string`, "x as y");'), []);
});

Deno.test("non-null refuses a postfix `!`, not a negation", () => {
  assertEquals(foundBelow("a!.b;\nc[0]!;\nd()!;"), ["2 non-null", "3 non-null", "4 non-null"]);
  assertEquals(foundBelow("if (!a && b !== c && !(d)) e(!f);"), []);
});

Deno.test("pure refuses clock, chance and surroundings below cli only", () => {
  const lines = "Date.now();\nMath.random();\nconsole.log();\na.localeCompare(b);\nDeno.exit();\nsetTimeout(f);";
  assertEquals(foundBelow(lines).map((each) => each.split(" ")[1]), Array.from({ length: 6 }, () => "pure"));
  assertEquals(foundBelow(lines, "src/cli/a.ts"), []);
  assertEquals(foundBelow("world.Date;\nconst a = { performance: 1 };\nMath.max(1, 2);"), []);
});

Deno.test("comments: an opening, JSDoc on exports, nothing unfinished", () => {
  assertEquals(found("const a = 1;\n"), ["1 opening-comment"]);
  assertEquals(found("/** The surface. */\n", "mod.ts"), []);
  assertEquals(foundBelow(`// ${"TO"}${"DO"} later`), ["2 unfinished"]);
  assertEquals(foundBelow(`// ${"@ts-"}${"ignore"}`), ["2 ts-ignore"]);
  assertEquals(foundBelow("export function a() {}\nexport type B = C;"), ["2 jsdoc", "3 jsdoc"]);
  assertEquals(foundBelow("/** A. */\nexport function a(b: B): C;\nexport function a(b: D): E;"), []);
  assertEquals(foundBelow('/** A. */\n// deno-lint-ignore x\nexport const a = 1;\nexport { b } from "./b.ts";'), []);
  assertEquals(foundBelow("export function a() {}", "tests/a.ts"), []);
});

Deno.test("the tree has no vague names, and a door in every folder", () => {
  const places = (failures: readonly Failure[]) => failures.map(({ path, rule }) => `${path} ${rule}`);
  assertEquals(places(vagueNames(["src/api/utils.ts", "src/helpers/a.ts", "src/api/database.ts"])), [
    "src/api/utils.ts vague-name",
    "src/helpers/a.ts vague-name",
  ]);
  assertEquals(places(missingDoors(["src/api/mod.ts", "src/wire/a.ts", "src/cli/main.ts"])), ["src/wire/mod.ts doors"]);
});

Deno.test("machineNames() finds hosts and paths of one machine, not words that look like them", () => {
  const bad = ["/wo", "rk/main\nregis", "try.example.org\njs", "r.io"].join("");
  assertEquals(machineNames([{ path: "a.md", text: bad }]).map(({ line }) => line).toSorted(), [1, 2, 3]);
  assertEquals(machineNames([{ path: "a.md", text: "the npm registry. Then home/work/ and registry.get(a)" }]), []);
});

const AROUND = {
  structs: { LIST: { members: { hItem: "out item" } } },
  objects: {
    item: { states: ["live", "dead"], ownerEnd: "leaked" },
    page: { states: ["live"], ownerEnd: "released" },
  },
  statuses: { STATUS_SUCCESS: 0 },
};
const CREATE: Declared = {
  name: "CreateItem",
  declaration: {
    id: 1,
    endpoint: "client",
    doc: "Creates.",
    params: { Flags: "in u32", List: "out D3DKMT_ADAPTERINFO[]" },
    returns: "status",
  },
};

function faults(...changes: readonly Partial<Declared["declaration"]>[]): string[] {
  const calls = changes.map((change, index) => ({
    name: `Call${index}`,
    declaration: { ...CREATE.declaration, id: index + 1, ...change },
  }));
  return catalogueFailures(calls, AROUND, []).map(({ is }) => is);
}

Deno.test("the catalogue's ids are unique, its docs sentences, its operands real", () => {
  assertEquals(faults({}, { id: 2 }), []);
  assertEquals(faults({}, { id: 1 }), ["Call1 has id 1, which is Call0's"]);
  assertEquals(faults({ doc: "creates" }), [`Call0's doc is "creates"`]);
  assertEquals(faults({ needs: { Item: ["live"] } })[0], "Call0 names Item, which is none of its parameters");
  assertEquals(faults({ effects: ["free Flags for Size"] }), ["Call0 names Size, which is none of its parameters"]);
  assertEquals(faults({ needs: { Flags: ["live"] } }), ["Call0 names the state live of Flags"]);
  assertEquals(faults({ refusal: "STATUS_NONE" }), ["Call0 is refused with STATUS_NONE, which has no number"]);
});

Deno.test("the catalogue's verbs come in pairs, or the owner ends what they begin", () => {
  const params = { hGpadl: "in gpadl", hMdl: "in mdl" } as const;
  const around = {
    ...AROUND,
    objects: {
      gpadl: { states: ["live"], ownerEnd: "leaked" },
      mdl: { states: ["live"], ownerEnd: "released" },
    },
  };
  const create: Declared = {
    name: "A",
    declaration: { ...CREATE.declaration, params, effects: ["create hGpadl", "create hMdl"] },
  };
  const destroy: Declared = {
    name: "B",
    declaration: { ...CREATE.declaration, id: 2, params, effects: ["destroy hGpadl"] },
  };
  assertEquals(catalogueFailures([create, destroy], around, []), []);
  assertEquals(catalogueFailures([create], around, []).map(({ is }) => is), [
    "A begins (create) a gpadl that no call ends",
  ]);
});

Deno.test("unexercised() names modelled calls that no scenario makes, at their declaration", () => {
  const files = [{ path: "src/api/kmcl.ts", text: "// K.\nexport const K = {\n  CreateItem: {\n" }];
  const scenario = (text: string) => [{ path: "tests/scenarios/a.calls", text }];
  const [failure] = unexercised([CREATE], scenario("# client CreateItem()\n"), files);
  assertEquals([failure?.path, failure?.line], ["src/api/kmcl.ts", 3]);
  assertEquals(unexercised([CREATE], scenario("umd#2 CreateItem()\n"), files), []);
  assertEquals(unexercised([CREATE], scenario("  callback client CreateItem(Flags=1)\n"), files), []);
  const later: Declared = { ...CREATE, declaration: { ...CREATE.declaration, modelled: false } };
  assertEquals(unexercised([later], [], files), []);
});

Deno.test("an exception covers its rule in its file, and one that covers nothing fails", () => {
  const failure = { path: "a.ts", line: 3, rule: "cast", is: "a cast", wanted: "none", fix: "check" };
  const exception = { rule: "cast", path: "a.ts", reason: "because" };
  assertEquals(withoutExceptions([failure], [exception]), []);
  assertEquals(withoutExceptions([failure], []), [failure]);
  assertEquals(withoutExceptions([], [exception]).map(({ rule }) => rule), ["exception"]);
  assertEquals(withoutExceptions([], [{ ...exception, granted: true }]), []);
});

Deno.test("checkTree() gives failures by place, each in one line with what mends it", () => {
  const failures = checkTree([
    { path: "src/wire/mod.ts", text: "// W.\n\nDate.now();\n" },
    { path: "src/api/mod.ts", text: "// A.\nfoo(a as B);\n" },
  ], []).filter(({ rule }) => rule !== "exception");
  assertEquals(failures.map(({ path, line }) => `${path}:${line}`), ["src/api/mod.ts:2", "src/wire/mod.ts:3"]);
  assertEquals(
    failures.map(failureText)[0],
    "src/api/mod.ts:2 cast: a cast to B, wanted no `as` but `as const`; " +
      "fix: check the value with a type guard, or use `satisfies`",
  );
});
