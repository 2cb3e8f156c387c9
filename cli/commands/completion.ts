// `wirespan completion <shell>`: a few lines for the shell, which call `wirespan complete` for the words.
import { Argument, type Command } from "commander";
import { installedPlugins } from "../../core/engine/discover.ts";

const scripts: Readonly<Record<string, string>> = {
  bash: `_wirespan() {
  local words
  words=$(wirespan complete -- "\${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -F _wirespan wirespan
`,
  zsh: `#compdef wirespan
_wirespan() {
  local -a found
  found=(\${(f)"$(wirespan complete -- \${words[2,CURRENT-1]} 2>/dev/null)"})
  compadd -a found || _files
}
compdef _wirespan wirespan
`,
  fish: `complete -c wirespan -a '(wirespan complete -- (commandline -opc)[2..-1] 2>/dev/null)'
`,
};

/** `grow` rebuilds the program for the words so far. */
export function addCompletion(program: Command, grow: (words: readonly string[]) => Promise<Command>): void {
  program
    .command("completion")
    .description("print a shell completion script")
    .addArgument(new Argument("<shell>").choices(Object.keys(scripts)))
    .addHelpText(
      "after",
      `
Examples:
  source <(wirespan completion bash)
  wirespan completion fish >~/.config/fish/completions/wirespan.fish`,
    )
    .action((shell: string) => void process.stdout.write(scripts[shell]!));

  program.command("complete [words...]", { hidden: true }).action(async (words: readonly string[]) => {
    const found = nextWords(await grow(words), words);
    process.stdout.write(found.map((word) => `${word}\n`).join(""));
  });
}

/** What may follow these words: commands, options, names of plugins. */
function nextWords(program: Command, words: readonly string[]): readonly string[] {
  if (/^(-p|--plugin)$/.test(words.at(-1) ?? "")) return installedPlugins();
  let command = program;
  for (const word of words) command = command.commands.find((below) => below.name() === word) ?? command;
  const below = command.commands.map((c) => c.name()).filter((name) => name !== "complete");
  const agent = command === program ? program.commands.find((c) => c.name() === "agent") : undefined;
  const options = [...command.options, ...(agent?.options ?? [])].map(
    ({ long, short }) => long ?? short ?? "",
  );
  return [...below, ...(command.name() === "plugins" ? installedPlugins() : []), ...options, "--help"];
}
