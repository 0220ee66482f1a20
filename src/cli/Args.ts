/**
 * Arguments into a command with its flags, or into the one sentence that says what is wrong with them.
 *
 * Pure, and small enough to be on the path of a fast start. No arguments, or a flag first, mean `serve`.
 */
import { parseArgs } from "node:util"
import { type CommandName, commandNames, commands, type CommandSpec, isCommand } from "./Commands.ts"
import { nearest } from "../protocol/Nearest.ts"

/** Values of the flags that were given; a boolean flag has the value `true`. */
export type Flags = Readonly<Record<string, string | true | undefined>>

export type Parsed =
  | {
      readonly _tag: "Command"
      readonly command: CommandName
      readonly flags: Flags
      readonly positionals: ReadonlyArray<string>
    }
  | { readonly _tag: "Help"; readonly command: CommandName | undefined }
  | {
      readonly _tag: "Usage"
      readonly command: CommandName | undefined
      readonly message: string
      readonly hint?: string
    }

export const parse = (argv: ReadonlyArray<string>): Parsed => {
  const first = argv[0]
  if (first === undefined) return parseCommand("serve", [])
  if (first === "--help" || first === "-h") return { _tag: "Help", command: undefined }
  if (first === "--version" || first === "-V") return parseCommand("version", argv.slice(1))
  if (first.startsWith("-")) return parseCommand("serve", argv)
  if (isCommand(first)) return parseCommand(first, argv.slice(1))
  const meant = nearest(first, commandNames)
  return {
    _tag: "Usage",
    command: undefined,
    message: `unknown command ${quote(first)}${meant === undefined ? "" : `; did you mean ${meant}?`}`
  }
}

const parseCommand = (command: CommandName, args: ReadonlyArray<string>): Parsed => {
  const spec: CommandSpec = commands[command]
  const usage = (message: string, hint?: string): Parsed => ({
    _tag: "Usage",
    command,
    message,
    ...(hint === undefined ? {} : { hint })
  })
  const end = args.indexOf("--")
  const asked = end < 0 ? args : args.slice(0, end)
  if (asked.includes("--help") || asked.includes("-h")) return { _tag: "Help", command }
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(Object.entries(spec.flags).map(([name, { type }]) => [name, { type }])),
    allowPositionals: true,
    strict: false,
    tokens: true
  })
  const flags: Record<string, string | true> = {}
  const positionals: Array<string> = []
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value)
    if (token.kind !== "option") continue
    const { inlineValue, name, rawName, value } = token
    const flag = Object.hasOwn(spec.flags, name) ? spec.flags[name] : undefined
    if (flag === undefined || !rawName.startsWith("--")) {
      const meant = nearest(name, Object.keys(spec.flags))
      return usage(`unknown flag ${rawName} of ${command}${meant === undefined ? "" : `; did you mean --${meant}?`}`)
    }
    if (Object.hasOwn(flags, name)) return usage(`${rawName} was given twice`)
    if (flag.type === "boolean") {
      if (value !== undefined) return usage(`${rawName} takes no value`)
      flags[name] = true
      continue
    }
    if (value === undefined || value === "")
      return usage(`${rawName} needs a value: ${rawName} ${flag.value ?? "VALUE"}`)
    if (inlineValue !== true && value.startsWith("-") && value !== "-") {
      return usage(
        `${rawName} needs a value, and ${value} looks like a flag`,
        `if it is the value, write ${rawName}=${value}`
      )
    }
    if (flag.choices !== undefined && !flag.choices.includes(value)) {
      return usage(`${rawName} is one of ${flag.choices.join(", ")}; got ${quote(value)}`)
    }
    flags[name] = value
  }
  const [least, most] = spec.arity
  if (positionals.length < least) return usage(`${command} needs ${spec.positionals}`)
  if (positionals.length > most) {
    const extra = positionals[most] as string
    if (command === "run") return usage("run takes one TEXT", "put quotes around it")
    return usage(
      `unexpected argument ${quote(extra)}`,
      isCommand(extra) ? `the command comes first: effect-pod ${extra} …` : undefined
    )
  }
  const conflict = exclusive.find(([a, b]) => Object.hasOwn(flags, a) && Object.hasOwn(flags, b))
  if (conflict !== undefined) return usage(`--${conflict[0]} and --${conflict[1]} exclude each other`)
  for (const name of Object.keys(flags)) {
    const reason = spec.flags[name]?.later
    if (reason !== undefined) return usage(`--${name} is not available in this version`, reason)
  }
  return { _tag: "Command", command, flags, positionals }
}

const exclusive = [
  ["manifest", "profile"],
  ["ephemeral", "require-pod-state"],
  ["ephemeral", "session"],
  ["follow", "limit"]
] as const

/** What a user typed, made safe to print on one line. */
export const quote = (text: string): string => {
  const line = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
  return line.replace(/[\u007f-\u009f]/g, "")
}
