// The script, module, jar or main class with which an interpreter was called, from the words of its command line.
import { elixir, type Interpreter, interpreterOf, withoutVersion } from "./interpreters.ts";
import { plainName } from "./plain.ts";

const dash = 0x2d;
const plus = 0x2b;
const equals = 0x3d;
const atSign = 0x40;
const slash = 0x2f;

/** Programs that combine several, by the word after their name. */
const multiCall = new Set(["busybox", "toybox", "coreutils"]);

/** The base name; undefined if there is none, or the program is not known to run others. */
export function scriptOf(executable: string, words: readonly Buffer[]): string | undefined {
  if (multiCall.has(executable)) return appletOf(executable, words);
  const interpreter = interpreterOf(executable);
  if (!interpreter) return undefined;
  const extra = interpreter.scattered ? find(elixir, behind(words, "-extra")) : undefined;
  const found = extra ?? find(interpreter, words.slice(1));
  return found === undefined || /^\.*$/.test(found) ? undefined : found;
}

/** The applet, or what a shell in it runs. */
function appletOf(executable: string, words: readonly Buffer[]): string | undefined {
  const [first, second] = words;
  const called = first && baseName(first);
  const rest = called === executable ? words.slice(1) : words;
  const applet = called === executable ? second && baseName(second) : called;
  if (applet === undefined || !/^[a-z0-9[][a-z0-9_.+-]*$/i.test(applet)) return undefined;
  const shell = interpreterOf(applet);
  return (shell && find(shell, rest.slice(1))) ?? applet;
}

/** Elixir's own programs come after the virtual machine's: `-extra /usr/bin/mix phx.server`. */
function behind(words: readonly Buffer[], option: string): readonly Buffer[] {
  const at = words.findIndex((word) => is(word, [option]));
  return at < 0 ? [] : words.slice(at + 1);
}

function find(interpreter: Interpreter, words: readonly Buffer[]): string | undefined {
  const { valued = [], script = [], code = [], commands = [], prefix, endings } = interpreter;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const next = words[i + 1];
    if (prefix !== undefined) {
      if (word.subarray(0, prefix.length).equals(Buffer.from(prefix)))
        return baseName(word.subarray(prefix.length));
      continue;
    }
    const [option, value] = split(word);
    if (is(option, code)) return undefined;
    if (is(option, script)) return named(value ?? next, endings);
    if (!isOption(word) || is(word, ["--"])) {
      if (interpreter.scattered || is(word, commands) || isExpanded(interpreter, word)) continue;
      return first(interpreter, words, is(word, ["--"]) ? i + 1 : i);
    }
    if (is(word, valued)) i++;
    else if (!interpreter.wholeWords && word[1] !== dash) {
      const letters = cluster(interpreter, word);
      if (letters === "code") return undefined;
      if (letters === "next") i++;
      if (letters === "script") return named(next, endings);
      if (letters instanceof Buffer) return named(letters, endings);
    }
  }
  return undefined;
}

/** `--option=value`. */
function split(word: Buffer): readonly [option: Buffer, value: Buffer | undefined] {
  const at = word[0] === dash && word[1] === dash ? word.indexOf(equals) : -1;
  return at < 0 ? [word, undefined] : [word.subarray(0, at), word.subarray(at + 1)];
}

/** The first word that is no option; undefined for standard input, and if what it is cannot be known. */
function first(interpreter: Interpreter, words: readonly Buffer[], at: number): string | undefined {
  const { program, unlessExpanded: option, endings } = interpreter;
  const before = words.slice(0, at);
  const isKnown =
    !before.some((word) => isExpanded(interpreter, word)) || before.some((word) => is(word, [option!]));
  const word = words[at];
  if (word === undefined || is(word, ["-"]) || !isKnown) return undefined;
  if (!program) return named(word, endings);
  const executable = baseName(word);
  return executable && (scriptOf(executable, words.slice(at)) ?? withoutVersion(executable));
}

function isExpanded({ unlessExpanded }: Interpreter, word: Buffer): boolean {
  return unlessExpanded !== undefined && word[0] === atSign;
}

/** What a cluster of letters such as `-uW` means for the following words; a buffer: the script's name itself. */
function cluster(interpreter: Interpreter, word: Buffer): "code" | "next" | "script" | "nothing" | Buffer {
  const { valuedLetters = "", attachedLetters = "", scriptLetters = "", codeLetters = "" } = interpreter;
  for (let at = 1; at < word.length; at++) {
    const letter = String.fromCharCode(word[at]!);
    const isLast = at === word.length - 1;
    if (codeLetters.includes(letter)) return "code";
    if (scriptLetters.includes(letter)) return isLast ? "script" : word.subarray(at + 1);
    if (valuedLetters.includes(letter)) return isLast ? "next" : "nothing";
    if (attachedLetters.includes(letter)) return "nothing";
  }
  return "nothing";
}

function named(word: Buffer | undefined, endings: readonly string[] | undefined): string | undefined {
  if (word === undefined) return undefined;
  const ends = endings?.some((ending) => word.subarray(-ending.length).equals(Buffer.from(ending))) ?? true;
  return ends ? baseName(word) : undefined;
}

function isOption(word: Buffer): boolean {
  return word.length > 1 && (word[0] === dash || word[0] === plus);
}

function is(word: Buffer, options: readonly string[]): boolean {
  return options.some((option) => option.length === word.length && word.equals(Buffer.from(option)));
}

/** Of a folder that ends with a slash, too: some interpreters run folders. */
function baseName(word: Buffer): string | undefined {
  const path = word.subarray(0, word.at(-1) === slash ? -1 : undefined);
  return plainName(path.subarray(path.lastIndexOf(slash) + 1));
}
