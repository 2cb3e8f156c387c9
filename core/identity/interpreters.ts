// Programs that run other programs, and which of their options come before the script.

export interface Interpreter {
  /** Options with an argument, unless it is in the same word after `=`. */
  readonly valued?: readonly string[];
  /** Letters of options in a cluster (`-uW`) whose argument is the rest of it, or the next word. */
  readonly valuedLetters?: string;
  /** Letters whose argument is the rest of the cluster, if there is one. */
  readonly attachedLetters?: string;
  /** Options that are followed by the script: a module, a jar, a file. */
  readonly script?: readonly string[];
  readonly scriptLetters?: string;
  /** Options that are followed by the program itself, as text. */
  readonly code?: readonly string[];
  readonly codeLetters?: string;
  /** Words before the script that are not the script: `deno run`. */
  readonly commands?: readonly string[];
  /** Suffixes of scripts. */
  readonly endings?: readonly string[];
  /** If arguments come before a script that has a word of its own: `--file=x.R`. */
  readonly prefix?: string;
  /** Options are whole words, however many dashes they begin with. */
  readonly wholeWords?: true;
  /** Only what `script` names counts: other words are not the script. */
  readonly scattered?: true;
}

const shell: Interpreter = { valued: ["--rcfile", "--init-file"], valuedLetters: "oO", codeLetters: "c" };

const python: Interpreter = {
  valued: ["--check-hash-based-pycs"],
  valuedLetters: "WXQ",
  scriptLetters: "m",
  codeLetters: "c",
};

const node: Interpreter = {
  wholeWords: true,
  valued: [
    ...["-r", "--require", "--import", "--loader", "--experimental-loader", "-C", "--conditions", "--title"],
    ...["--inspect-port", "--debug-port", "--env-file", "--env-file-if-exists", "--input-type"],
    ...["--diagnostic-dir", "--dns-result-order", "--icu-data-dir", "--openssl-config", "--watch-path"],
    ...["--redirect-warnings", "--report-dir", "--report-directory", "--report-filename", "--report-signal"],
    ...["--trace-event-categories", "--trace-event-file-pattern", "--tls-cipher-list", "--tls-keylog"],
    ...["--unhandled-rejections", "--heapsnapshot-signal", "--max-http-header-size", "--disable-proto"],
    ...["--experimental-default-type", "--localstorage-file", "--secure-heap", "--stack-trace-limit"],
  ],
  code: ["-e", "--eval", "-p", "--print", "-pe"],
  commands: ["inspect"],
};

const java: Interpreter = {
  wholeWords: true,
  valued: [
    ...["-cp", "-classpath", "--class-path", "-p", "--module-path", "--upgrade-module-path", "--source"],
    ...["--add-modules", "--limit-modules", "--add-opens", "--add-exports", "--add-reads", "--patch-module"],
    ...["--enable-native-access", "--illegal-native-access", "-d", "--describe-module"],
  ],
  script: ["-jar", "-m", "--module"],
};

const dotnet: Interpreter = {
  wholeWords: true,
  valued: [
    ...["--depsfile", "--runtimeconfig", "--additionalprobingpath", "--fx-version", "--roll-forward"],
    ...["--additional-deps"],
  ],
  commands: ["exec"],
  endings: [".dll", ".exe"],
};

const erlang: Interpreter = { wholeWords: true, scattered: true, script: ["-s", "-run"] };

const lua: Interpreter = { valuedLetters: "el" };

const all: readonly (readonly [names: readonly string[], interpreter: Interpreter])[] = [
  [["python", "pypy"], python],
  [["node", "nodejs"], node],
  [["deno"], { valued: ["-c", "--config", "--import-map", "--lock"], wholeWords: true, commands: ["run"] }],
  [["bun"], { wholeWords: true, valued: ["-r", "--preload", "--config"], code: ["-e"], commands: ["run"] }],
  [["ruby", "jruby", "truffleruby"], { valuedLetters: "IrCE", attachedLetters: "WFKTxi", codeLetters: "e" }],
  [["perl"], { valuedLetters: "I", attachedLetters: "MmiFDdCVx", codeLetters: "eE" }],
  [["php", "php-cli", "php-cgi"], { valuedLetters: "cdzt", scriptLetters: "f", codeLetters: "rBREFS" }],
  [["bash", "sh", "dash", "ash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh"], shell],
  [["lua", "luajit"], lua],
  [["tclsh", "wish"], {}],
  [["expect"], { valuedLetters: "c", scriptLetters: "f" }],
  [["julia"], { valuedLetters: "LJptCO", codeLetters: "eE" }],
  [["R"], { wholeWords: true, prefix: "--file=" }],
  [["Rscript"], { wholeWords: true, code: ["-e"] }],
  [["java", "javaw"], java],
  [["dotnet"], dotnet],
  [["mono", "mono-sgen"], { endings: [".exe"] }],
  [["beam", "beam.smp", "erlexec"], erlang],
];

const byName = new Map(
  all.flatMap(([names, interpreter]) => names.map((name) => [name, interpreter] as const)),
);

/** The interpreter that a program is, by its name, whatever its version. */
export function interpreterOf(executable: string): Interpreter | undefined {
  return byName.get(executable) ?? byName.get(executable.replace(/[-.]?v?\d[\d.]*$/, ""));
}

/**
 * A program's name without its version: python3.11 is python, mysqld-8.0 is mysqld. Numbers that are no
 * version stay: x264, sha256sum.
 */
export function withoutVersion(executable: string): string {
  if (byName.has(executable)) return executable;
  const bare = executable.replace(/[-.]?v?\d[\d.]*$/, "");
  if (byName.has(bare)) return bare;
  return executable.replace(/(?<=..)([-_]?v?\d+(\.\d+)+|-\d+)$/, "") || executable;
}
