// A trace is a sequence of MessagePack values to anybody: Python's msgpack, as Debian has it, walks every value to the end and
// counts what @msgpack/msgpack counts. Left out, and said, where there is no such Python.
import { decodeMulti } from "@msgpack/msgpack";
import { assertEquals } from "../support/assert.ts";
import { sampleStory, writeTrace } from "../support/sample_events.ts";

/** Walks into blocks as well, whose bodies are MessagePack again; prints how many values of each kind there are. */
const WALK = `
import json, sys
import msgpack

counts = {}

def walk(value, depth):
    if isinstance(value, bool): kind = "bool"
    elif value is None: kind = "nil"
    elif isinstance(value, int): kind = "integer"
    elif isinstance(value, float): kind = "float"
    elif isinstance(value, str): kind = "text"
    elif isinstance(value, bytes): kind = "bytes"
    elif isinstance(value, list): kind = "array"
    elif isinstance(value, dict): kind = "map"
    else: kind = type(value).__name__
    counts[kind] = counts.get(kind, 0) + 1
    if kind == "array":
        for each in value: walk(each, depth + 1)
        if depth == 0 and isinstance(value[-1], bytes): several(value[-1])
    if kind == "map":
        for key, each in value.items():
            walk(key, depth + 1)
            walk(each, depth + 1)

def several(data):
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=len(data))
    unpacker.feed(data)
    for value in unpacker: walk(value, 1)
    counts["left"] = counts.get("left", 0) + len(data) - unpacker.tell()

data = sys.stdin.buffer.read()
unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=len(data))
unpacker.feed(data)
for value in unpacker: walk(value, 0)
counts["left"] = counts.get("left", 0) + len(data) - unpacker.tell()
print(json.dumps(counts))
`;

/** The same walk with the other library; `left` are bytes behind the last value, which it would throw on. */
function countedHere(bytes: Uint8Array): Record<string, number> {
  const counts = new Map<string, number>([["left", 0]]);
  for (const value of decodeMulti(bytes, { useBigInt64: true })) walk(value, counts, 0);
  return Object.fromEntries(counts);
}

function walk(value: unknown, counts: Map<string, number>, depth: number): void {
  const kind = kindOf(value);
  counts.set(kind, (counts.get(kind) ?? 0) + 1);
  if (Array.isArray(value)) {
    for (const each of value) walk(each, counts, depth + 1);
    const body: unknown = value.at(-1);
    if (depth > 0 || !(body instanceof Uint8Array)) return;
    for (const inner of decodeMulti(body, { useBigInt64: true })) walk(inner, counts, 1);
  } else if (kind === "map" && typeof value === "object" && value !== null) {
    for (const [key, each] of Object.entries(value)) {
      walk(key, counts, depth + 1);
      walk(each, counts, depth + 1);
    }
  }
}

function kindOf(value: unknown): string {
  if (value === null) return "nil";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "bigint") return "integer";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "float";
  if (typeof value === "string") return "text";
  if (value instanceof Uint8Array) return "bytes";
  return Array.isArray(value) ? "array" : "map";
}

/** Debian's own Python first: another one on the path rarely has Debian's packages. */
const PYTHONS = ["/usr/bin/python3", "python3"];

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a script of Python; a shell starts it, as the tests have leave for that alone. Null where they have not. */
async function python(command: string, script: string, input: Uint8Array): Promise<Said | null> {
  if ((await Deno.permissions.query({ name: "run", command: "sh" })).state !== "granted") return null;
  const child = new Deno.Command("sh", {
    args: ["-c", 'exec "$0" -c "$1"', command, script],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(input).then(() => writer.close()).catch(() => {});
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

const NO_SUCH_COMMAND = 127;

/** A Python with msgpack, or why there is none. */
async function findPython(): Promise<{ readonly command: string } | { readonly why: string }> {
  let why = "no python3 here, or no leave to run it";
  for (const command of PYTHONS) {
    const said = await python(command, "import msgpack", new Uint8Array(0));
    if (said?.code === 0) return { command };
    if (said !== null && said.code !== NO_SUCH_COMMAND) why = "python3 has no msgpack (Debian: python3-msgpack)";
  }
  return { why };
}

const found = await findPython();
const reason = "why" in found ? ` (left out: ${found.why})` : "";

Deno.test({
  name: `Python's msgpack walks every value of a trace, bodies too${reason}`,
  ignore: "why" in found,
  async fn() {
    if ("why" in found) return;
    const bytes = writeTrace(sampleStory(300), { chunkEvents: 200 });
    const said = await python(found.command, WALK, bytes);
    assertEquals([said?.code, said?.err], [0, ""]);
    assertEquals(JSON.parse(said?.out ?? ""), countedHere(bytes));
  },
});
