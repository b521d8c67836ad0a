// The gate: format, lint, types, tidy, tests (once), the documents' examples. Stops at the first that fails and says how to mend it;
// its last line counts the tests. It must not know what the steps check.

interface Step {
  readonly name: string;
  readonly args: readonly string[];
  readonly fix: string;
}

const STEPS: readonly Step[] = [
  { name: "format", args: ["fmt", "--check", "--quiet"], fix: "deno fmt" },
  { name: "lint", args: ["lint", "--quiet"], fix: "deno lint --fix, then what it names" },
  { name: "types", args: ["check", "--quiet", "mod.ts", "src", "tests", "tools"], fix: "the places above" },
  { name: "tidy", args: ["run", "--quiet", "--allow-read", "tools/tidy.ts"], fix: "what each line says" },
  {
    name: "examples",
    args: [
      "test",
      "--quiet",
      "--no-check",
      "--doc",
      "--allow-read",
      "mod.ts",
      "src",
      "README.md",
    ],
    fix: "the examples in the comments named above",
  },
  { name: "tests", args: ["task", "--quiet", "test"], fix: "the tests named above" },
];

/** A shell becomes this very Deno: leave to run `sh` is all that the gate needs, wherever Deno was installed. */
const BECOME = 'exec "$0" "$@"';
const OUTPUTS = { stdout: "piped", stderr: "inherit" } as const;

async function run({ name, args, fix }: Step): Promise<string> {
  console.log(`── ${name}`);
  const began = performance.now();
  const child = new Deno.Command("sh", { args: ["-c", BECOME, Deno.execPath(), ...args], ...OUTPUTS }).spawn();
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of child.stdout) {
    await Deno.stdout.write(bytes);
    text += decoder.decode(bytes, { stream: true });
  }
  const { code } = await child.status;
  console.log(`   ${((performance.now() - began) / 1000).toFixed(1)} s`);
  if (code !== 0) {
    console.log(`${name} failed; to mend it: ${fix}`);
    summarize(text);
    Deno.exit(1);
  }
  return text;
}

/** The closing line, from the test runner's own: \`ok | 12 passed | 0 failed | 1 ignored\`. */
function summarize(text: string): void {
  // deno-lint-ignore no-control-regex
  const plain = text.replace(/\u001b\[[0-9;]*m/g, "");
  const counts = [
    ...plain.matchAll(/(\d+) passed(?: \(\d+ steps?\))? \| (\d+) failed(?: \(\d+ steps?\))?(?: \| (\d+) ignored)?/g),
  ].at(-1);
  if (counts === undefined) return;
  const skipped = counts[3] === undefined ? "" : `, ${counts[3]} skipped`;
  console.log(`${counts[1]} passed, ${counts[2]} failed${skipped}`);
}

let last = "";
for (const step of STEPS) last = await run(step);
summarize(last);
