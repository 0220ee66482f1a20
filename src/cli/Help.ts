/** The texts of `--help`, made from the table of commands. */
import { type CommandName, commandNames, commands, type CommandSpec } from "./Commands.ts"

const column = (rows: ReadonlyArray<readonly [string, string]>): string => {
  const width = Math.max(...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join("\n")
}

const call = (name: CommandName): string => {
  const { positionals } = commands[name]
  return positionals === "" ? name : `${name} ${positionals}`
}

/** One line, as it is shown with a usage error. */
export const usageLine = (command: CommandName | undefined): string => {
  if (command === undefined) return "usage: effect-pod [COMMAND] [FLAGS], effect-pod help"
  const { positionals } = commands[command]
  return `usage: effect-pod ${command} [FLAGS]${positionals === "" ? "" : ` ${positionals}`}, effect-pod help ${command}`
}

export const programHelp = (): string => {
  return [
    "effect-pod: one LLM agent as a service with a journal",
    "",
    "usage: effect-pod [COMMAND] [FLAGS]",
    "       Without a command it serves: effect-pod is effect-pod serve.",
    "",
    "commands:",
    column(commandNames.map((name) => [call(name), commands[name].summary])),
    "",
    "effect-pod help COMMAND shows the flags of a command.",
    "",
    "exit codes: 0 finished, 1 failed, 2 usage, 3 paused or at its limit, 4 pod or scope in use,",
    "            5 corrupt durable state, 130 cancelled",
    "directories: EFFECT_POD_HOME, or EFFECT_POD_CONFIG_DIR, EFFECT_POD_DATA_DIR, EFFECT_POD_RUNTIME_DIR, or XDG",
    "models: ANTHROPIC_API_KEY, OPENAI_API_KEY; without one, the embedded offline model",
    ""
  ].join("\n")
}

export const commandHelp = (name: CommandName): string => {
  const spec: CommandSpec = commands[name]
  const flags = Object.entries(spec.flags).map(([flag, { choices, help, later, type, value }]) => {
    const left = type === "boolean" ? `--${flag}` : `--${flag} ${value ?? "VALUE"}`
    const right = [
      help,
      choices === undefined ? "" : `: ${choices.join(", ")}`,
      later === undefined ? "" : " (not in this version)"
    ]
    return [left, right.join("")] as const
  })
  return [
    `effect-pod ${call(name)}: ${spec.summary}`,
    "",
    `usage: effect-pod ${name} [FLAGS]${spec.positionals === "" ? "" : ` ${spec.positionals}`}`,
    ...(spec.about === undefined ? [] : ["", spec.about]),
    "",
    "flags:",
    column(flags),
    ...(spec.examples === undefined ? [] : ["", "examples:", ...spec.examples.map((line) => `  effect-pod ${line}`)]),
    ""
  ].join("\n")
}
