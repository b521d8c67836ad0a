// The program as processes of their own: how long each takes, and how much memory at its peak. The peak is the system's own
// mark (VmHWM in /proc), read by a shell until the process is gone; where there is no /proc there is no figure.
// It must not know what the verbs do.

/** A folder for what a benchmark writes; it is gone afterwards. */
export interface Workspace {
  readonly folder: string;
  /** Writes a file; its path. */
  put(name: string, text: string): string;
}

/** Runs `work` with a workspace. */
export async function inWorkspace<T>(work: (workspace: Workspace) => Promise<T>): Promise<T> {
  const folder = Deno.makeTempDirSync({ prefix: "maptrail-bench-" });
  try {
    return await work({
      folder,
      put(name, text) {
        Deno.writeTextFileSync(`${folder}/${name}`, text);
        return `${folder}/${name}`;
      },
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** How a process went. */
export interface ProcessRun {
  readonly ms: number;
  /** Megabytes (10^6 bytes) resident at the peak; null where the system does not say, or the process was gone too soon. */
  readonly peakMegabytes: number | null;
}

const MAIN = new URL("../../../src/cli/main.ts", import.meta.url).pathname;
const CONFIG = new URL("../../../deno.json", import.meta.url).pathname;

/** Runs the program with these words, as the tasks do; throws where it fails otherwise than by findings. */
export function runVerb(
  workspace: Workspace,
  words: readonly string[],
  options: { readonly watchesMemory?: boolean } = {},
): Promise<ProcessRun> {
  return runDeno(workspace, [...taskFlags(), `--config=${CONFIG}`, MAIN, ...words], options);
}

/** What the tasks give Deno in front of the program: permissions, and how its memory grows. */
function taskFlags(): readonly string[] {
  const config: unknown = JSON.parse(Deno.readTextFileSync(CONFIG));
  const text = /"maptrail":"deno run (.*?) src\/cli\/main\.ts"/.exec(JSON.stringify(config))?.[1];
  if (text === undefined) throw new Error("Cannot run the program: deno.json has no task maptrail");
  return text.split(" ");
}

/** A shell becomes the program: leave to run `sh` is all that a benchmark needs, wherever Deno was installed. */
const BECOME = 'exec "$0" "$@" >/dev/null 2>&1';

/** The shell looks at the program's mark until there is none, which is when it ended, and then says the last it saw. */
const WATCH = `"$0" "$@" >/dev/null 2>&1 &
pid=$!
while :; do
  seen=
  while read -r key value unit; do [ "$key" = VmHWM: ] && seen=$value; done 2>/dev/null < "/proc/$pid/status"
  [ -z "$seen" ] && break
  peak=$seen
  sleep 0.02
done
wait $pid
code=$?
echo "$peak"
exit $code`;

const FOUND = 1;

/** Runs \`deno run\` in the workspace. */
export async function runDeno(
  { folder }: Workspace,
  words: readonly string[],
  { watchesMemory = false }: { readonly watchesMemory?: boolean } = {},
): Promise<ProcessRun> {
  const start = ["-c", watchesMemory ? WATCH : BECOME, Deno.execPath(), "run", "--quiet", "--no-check", ...words];
  const env = { INIT_CWD: folder, NO_COLOR: "1" };
  const command = new Deno.Command("sh", { args: start, cwd: folder, env, stdin: "null", stderr: "null" });
  const began = performance.now();
  const { code, stdout } = await command.output();
  const ms = performance.now() - began;
  if (code > FOUND) throw new Error(`deno run ${words.join(" ")} ended with exit code ${code}`);
  const kilobytes = Number(new TextDecoder().decode(stdout).trim());
  return { ms, peakMegabytes: kilobytes > 0 ? kilobytes * 1024 / 1e6 : null };
}
