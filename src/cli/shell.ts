// Commands for people to paste: words in quotes where a shell would take them apart. Must not know the verbs.

const SAFE = /^[\w@%+=:,./#-]+$/;

/** One word as a POSIX shell reads it back. */
export function shellWord(word: string): string {
  const isSafe = SAFE.test(word) && !word.startsWith("#");
  return isSafe ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A path as a word that no verb takes for a flag. */
export function shellPath(path: string): string {
  return shellWord(path !== "-" && path.startsWith("-") ? `./${path}` : path);
}

/** Words as one command. */
export function commandLine(words: readonly string[]): string {
  return words.map(shellWord).join(" ");
}
