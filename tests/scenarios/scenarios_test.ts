// Every scenario of this folder and those under it, one test each: what its lines say holds, its trace replays to itself,
// and its dump records to an equal trace. First, that a scenario which does not hold says so.

import { runScenarioFile, runScenarioText } from "../support/scenario.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";

const FOLDER = new URL("./", import.meta.url);

/** Paths of all `.calls` files below a folder, relative to it, in order of their names. */
function scenariosIn(folder: URL, prefix = ""): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return scenariosIn(new URL(`${name}/`, folder), `${prefix}${name}/`);
    return name.endsWith(".calls") ? [`${prefix}${name}`] : [];
  }).sort();
}

const FILES = scenariosIn(FOLDER);

/** Lines that do not hold, and a part of what is said of each. */
const FALSE_LINES: readonly (readonly [why: string, lines: string, trouble: RegExp])[] = [
  [
    "an outcome",
    "client VmbChannelAllocate(IsServer=false) -> fails",
    /^x\.calls:1: VmbChannelAllocate: wrote fails, got STATUS_SUCCESS/,
  ],
  ["a returned value", "guest AllocateBuffer(ByteCount=1) -> buffer#2", /^x\.calls:1: .*wrote buffer#2, got buffer#1/],
  [
    "a callback",
    "client VmbChannelAllocate(IsServer=false)\n  callback client EvtVmbChannelOpened(Channel=channel#1)",
    /^x\.calls:2: wrote callback client EvtVmbChannelOpened, got no callback/,
  ],
  [
    "a state",
    "client VmbChannelAllocate(IsServer=false)\nexpect state channel#1 open",
    /^x\.calls:2: wrote state channel#1 open, got disabled/,
  ],
  ["a finding", "expect finding channel-leak", /^x\.calls:1: no such finding: channel-leak/],
  [
    "a finding of no rule",
    "expect finding channel-leek",
    /no such finding: channel-leek\. .*Did you mean "channel-leak"/,
  ],
  [
    "no findings",
    "client VmbChannelAllocate(IsServer=false)\nexpect no findings",
    /^x\.calls:2: not expected: error channel-leak/,
  ],
  [
    "all findings",
    "client VmbChannelAllocate(IsServer=false) -> ok {Channel=$c}\nclient VmbChannelStart(Channel=$c)\nexpect finding channel-leak",
    /^x\.calls:3: not expected: error channel-start-outside-enable/,
  ],
];

for (const [why, lines, trouble] of FALSE_LINES) {
  Deno.test(`a scenario that is wrong about ${why} says so at its line`, async () => {
    const { troubles } = await runScenarioText(lines, "x.calls");
    assertEquals(troubles.length, 1, troubles.join("\n"));
    assertMatch(troubles[0] ?? "", trouble);
  });
}

Deno.test("every scenario opens with a comment that says what it shows", () => {
  assert(FILES.length > 0);
  const silent = FILES.filter((path) => !/^# \S.{20,}/.test(Deno.readTextFileSync(new URL(path, FOLDER))));
  assertEquals(silent, []);
});

for (const path of FILES) {
  Deno.test(path, async () => {
    const { troubles } = await runScenarioFile(new URL(path, FOLDER));
    assertEquals(troubles, []);
  });
}
