// Commands for people to paste: words in quotes where a shell would take them apart. Must not know the verbs.

// Controls, formatting and separators.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const SAFE = /^[\w@%+=:,./#-]+$/;

/** One word as a POSIX shell reads it back; with what nobody sees in it, as bash and its like do: `$'a\\nb'`. */
export function shellWord(word: string): string {
  if (SAFE.test(word) && !word.startsWith("#")) return word;
  if (!UNSEEN.test(word)) return `'${word.replaceAll("'", `'\\''`)}'`;
  const escaped = word.replace(/['\\]/g, "\\$&").replace(new RegExp(UNSEEN, "gu"), codeOf);
  return `$'${escaped}'`;
}

/** The bytes of a character, which any of these shells takes. */
function codeOf(character: string): string {
  if (character === "\n") return "\\n";
  return [...new TextEncoder().encode(character)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
}

/** A path as a word that no verb takes for a flag. */
export function shellPath(path: string): string {
  return shellWord(path !== "-" && path.startsWith("-") ? `./${path}` : path);
}

/** Words as one command. */
export function commandLine(words: readonly string[]): string {
  return words.map(shellWord).join(" ");
}
