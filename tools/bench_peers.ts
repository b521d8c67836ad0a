// The peers of the benchmark: tracers that are installed, on C programs that are written, built and run here. What is not
// installed is said, with what would install it; nothing is ever installed. Figures are net of the untraced program.
//
//   deno task bench --only peers        (ours beside theirs: deno task bench)

import { differenceOf, type Figure } from "./bench/measure/figure.ts";
import { type Peer, PEERS } from "./bench/peers.ts";

/** What a peer costs. */
export interface PeerRow {
  readonly name: string;
  readonly unit: string;
  /** Nanoseconds an event, net. */
  readonly addedNs: Figure;
  readonly bytesPerEvent: number;
}

/** What was measured, and what could not be. */
export interface Peers {
  readonly rows: readonly PeerRow[];
  /** Sentences on those that were left out. */
  readonly missing: readonly string[];
}

/** Measures the peers that are there, in a folder of their own below `folder`. */
export async function measurePeers(folder: string, { runs }: { readonly runs: number }): Promise<Peers> {
  const rows: PeerRow[] = [];
  const missing: string[] = [];
  for (const peer of PEERS) {
    const lacking = await lackingCommands(peer, folder);
    if (lacking.length > 0) {
      missing.push(
        `${peer.name}: ${lacking.join(", ")} not found; to have it: apt-get install ${peer.packages.join(" ")}`,
      );
      continue;
    }
    try {
      rows.push(await measurePeer(peer, { folder: `${folder}/${peer.name}`, runs }));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      missing.push(`${peer.name}: ${why}; it wants: apt-get install ${peer.packages.join(" ")}`);
    }
  }
  return { rows, missing };
}

async function lackingCommands({ commands }: Peer, folder: string): Promise<string[]> {
  const lacking: string[] = [];
  for (const command of commands) {
    const { code } = await shell(`command -v ${command}`, folder);
    if (code !== 0) lacking.push(command);
  }
  return lacking;
}

async function measurePeer(
  peer: Peer,
  { folder, runs }: { readonly folder: string; readonly runs: number },
): Promise<PeerRow> {
  Deno.mkdirSync(folder);
  for (const [name, text] of Object.entries(peer.files)) Deno.writeTextFileSync(`${folder}/${name}`, text);
  const built = await shell(peer.build, folder);
  if (built.code !== 0) throw new Error(`its program does not build (${lastLine(built.errors)})`);
  const traced: number[] = [];
  const plain: number[] = [];
  let bytes = 0;
  for (let run = 0; run <= runs; run += 1) {
    const { code, output, errors } = await shell(`set -e\nTURNS=${peer.turns}\n${peer.run}`, folder);
    const [untraced, withTrace, size] = output.trim().split(/\s+/).map(Number);
    if (code !== 0 || untraced === undefined || withTrace === undefined || size === undefined) {
      throw new Error(`it did not run (${lastLine(errors)})`);
    }
    bytes = size;
    if (run === 0) continue;
    plain.push(untraced / peer.eventsPerTurn);
    traced.push(withTrace / peer.eventsPerTurn);
  }
  return {
    name: peer.name,
    unit: peer.unit,
    addedNs: differenceOf(traced, plain),
    bytesPerEvent: bytes / peer.turns / peer.eventsPerTurn,
  };
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}

async function shell(script: string, folder: string) {
  const command = new Deno.Command("sh", { args: ["-c", script], cwd: folder, stdin: "null" });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout), errors: decoder.decode(stderr) };
}
