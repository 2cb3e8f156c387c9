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
  /** A word such as `@java.args` stands for others, which may contain the script: only a word after this option is it. */
  readonly unlessExpanded?: string;
  /** The first word that is no option is a program, which may be an interpreter. */
  readonly program?: true;
  /** Only what `script` names counts: other words are not the script. */
  readonly scattered?: true;
}

// With -s, and of other interpreters with "-", the program is read from standard input.
const shell: Interpreter = {
  valued: ["--rcfile", "--init-file"],
  valuedLetters: "oO",
  codeLetters: "cs",
  commands: ["-"],
};

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
    ...["--allow-fs-read", "--allow-fs-write", "--build-snapshot-config", "--disable-warning"],
    ...["--cpu-prof-dir", "--cpu-prof-interval", "--cpu-prof-name", "--experimental-config-file"],
    ...["--heap-prof-dir", "--heap-prof-interval", "--heap-prof-name", "--inspect-publish-uid"],
    ...["--max-old-space-size-percentage", "--network-family-autoselection-attempt-timeout"],
    ...["--security-revert", "--snapshot-blob", "--test-isolation", "--test-reporter", "--test-timeout"],
    ...["--test-concurrency", "--test-name-pattern", "--test-reporter-destination", "--test-shard"],
    ...["--trace-require-module", "--use-largepages", "--watch-kill-signal"],
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
  script: ["-m", "--module"],
  unlessExpanded: "-jar",
};

const php: Interpreter = {
  valued: ["--php-ini", "--define", "--zend-extension", "--docroot"],
  valuedLetters: "cdzt",
  script: ["--file"],
  scriptLetters: "f",
  code: [
    ...["--run", "--process-begin", "--process-code", "--process-file", "--process-end", "--server"],
    ...["--"], // Arguments of a program that is read from standard input.
  ],
  codeLetters: "rBREFS",
};

const deno: Interpreter = {
  wholeWords: true,
  valued: ["-c", "--config", "--import-map", "--lock", "--host", "--port", "--cert", "-L", "--log-level"],
  code: ["eval", "repl"],
  commands: ["run", "serve"],
};

const bun: Interpreter = {
  wholeWords: true,
  valued: ["-r", "--preload", "--config", "--cwd", "--env-file", "--port", "--conditions", "--import"],
  code: ["-e", "--eval", "-p", "--print"],
  commands: ["run"],
};

const ruby: Interpreter = {
  valued: ["--encoding", "--external-encoding", "--internal-encoding", "--enable", "--disable"],
  valuedLetters: "IrCE",
  attachedLetters: "WFKTxi",
  codeLetters: "e",
};

const julia: Interpreter = {
  valued: ["--home", "--load", "--sysimage", "--cpu-target", "--threads", "--gcthreads", "--procs"],
  valuedLetters: "LJptCH",
  attachedLetters: "Og",
  code: ["--eval", "--print"],
  codeLetters: "eE",
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

/** What Elixir's own programs are called with, after the virtual machine's arguments. */
export const elixir: Interpreter = {
  wholeWords: true,
  valued: ["-r", "-pr", "-pa", "-pz", "--erl", "--name", "--sname", "--cookie"],
  code: ["-e", "--eval", "--rpc-eval"],
};

const lua: Interpreter = { valuedLetters: "el", attachedLetters: "jO" };

/** The dynamic loader, called as a program. */
const loader: Interpreter = {
  wholeWords: true,
  valued: ["--library-path", "--argv0", "--preload", "--audit", "--inhibit-rpath", "--glibc-hwcaps-prepend"],
  program: true,
};

const all: readonly (readonly [names: readonly string[], interpreter: Interpreter])[] = [
  [["python", "pypy"], python],
  [["node", "nodejs"], node],
  [["deno"], deno],
  [["bun"], bun],
  [["ruby", "jruby", "truffleruby"], ruby],
  [["perl"], { valuedLetters: "I", attachedLetters: "MmiFDdCVx", codeLetters: "eE" }],
  [["php", "php-cli", "php-cgi"], php],
  [["bash", "sh", "dash", "ash", "zsh", "ksh", "mksh", "csh", "tcsh"], shell],
  [["fish"], { valued: ["--init-command"], valuedLetters: "CdDf", code: ["--command"], codeLetters: "c" }],
  [["lua", "luajit"], lua],
  [["tclsh", "wish"], { wholeWords: true, valued: ["-encoding"] }],
  [["expect"], { valuedLetters: "c", scriptLetters: "f" }],
  [["julia"], julia],
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

/** The version of an interpreter, with the letters of its build: python3.13t. */
const version = /[-.]?v?\d[\d.]*[dmtu]*(-dbg)?$/;

/** The interpreter that a program is, by its name, whatever its version. */
export function interpreterOf(executable: string): Interpreter | undefined {
  if (/^ld-[\w.-]+\.so(\.\d+)?$/.test(executable)) return loader;
  return byName.get(executable) ?? byName.get(executable.replace(version, ""));
}

/**
 * A program's name without its version: python3.11 is python, mysqld-8.0 is mysqld. Numbers that are no
 * version stay: x264, sha256sum.
 */
export function withoutVersion(executable: string): string {
  if (byName.has(executable)) return executable;
  const bare = executable.replace(version, "");
  if (byName.has(bare)) return bare;
  return executable.replace(/(?<=..)([-_]?v?\d+(\.\d+)+|-\d+)$/, "") || executable;
}
