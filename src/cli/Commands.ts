/**
 * The command line as data: every command with its arguments, flags and words of help.
 *
 * `Args.ts` parses by it, `Help.ts` prints it, and the tests walk over it. How a command is carried out is in the file
 * that is named for it.
 */

export interface FlagSpec {
  readonly type: "string" | "boolean"
  readonly help: string
  /** Placeholder of the value in help texts. */
  readonly value?: string
  readonly choices?: ReadonlyArray<string>
  /** Why this version refuses it. */
  readonly later?: string
}

export interface CommandSpec {
  readonly summary: string
  /** As shown in the usage line. */
  readonly positionals: string
  /** Least and most positional arguments. */
  readonly arity: readonly [number, number]
  readonly flags: Readonly<Record<string, FlagSpec>>
  /** Further paragraphs of `--help`. */
  readonly about?: string
  /** Examples of use, without the program's name. */
  readonly examples?: ReadonlyArray<string>
}

export const logLevels = ["trace", "debug", "info", "warn", "error", "none"] as const

const json: FlagSpec = { type: "boolean", help: "print JSON instead of text" }

const common = {
  "log-level": {
    type: "string",
    value: "LEVEL",
    choices: logLevels,
    help: "how much is logged to stderr; from debug on, errors show their cause"
  },
  help: { type: "boolean", help: "show this help" }
} as const satisfies Record<string, FlagSpec>

const dryRun: FlagSpec = { type: "boolean", help: "only say what would be done" }

/** Flags of `serve`, and of `run` where it hosts the pod itself. */
const hosting = {
  pod: { type: "string", value: "NAME", help: "name of the pod (default: manifest, then the directory's name)" },
  manifest: { type: "string", value: "FILE", help: "TOML file that configures the pod" },
  profile: {
    type: "string",
    value: "NAME",
    help: "named configuration",
    later: "profiles come with a later version; name a file with --manifest"
  },
  cwd: { type: "string", value: "DIR", help: "working directory of the pod (default: the current one)" },
  "require-pod-state": { type: "boolean", help: "fail instead of creating a pod that does not exist yet" },
  session: { type: "string", value: "SEGMENT_ID", help: "restore exactly this segment" },
  ephemeral: { type: "boolean", help: "keep everything in memory: nothing is left when the pod stops" },
  takeover: {
    type: "boolean",
    help: "end an owner that is stopped or does not answer, then take its place"
  },
  adopt: { type: "boolean", help: "become the child of another pod", later: "child pods come with a later version" },
  callback: {
    type: "string",
    value: "SOCKET",
    help: "where a child reports to",
    later: "child pods come with a later version"
  },
  "spawn-config": {
    type: "string",
    value: "FILE",
    help: "configuration of a child",
    later: "child pods come with a later version"
  },
  grace: { type: "string", value: "TIME", help: "longest time that a stop may take, like 10s (default 10s)" },
  "log-format": { type: "string", value: "FORMAT", choices: ["pretty", "json"], help: "pretty or json" }
} as const satisfies Record<string, FlagSpec>

const specs = {
  serve: {
    summary: "run one pod in the foreground as a service",
    positionals: "",
    arity: [0, 0],
    flags: { ...hosting, ...common },
    about: [
      "Opens the pod (restores it if it exists), listens on its socket and works until it is shut down.",
      "When it is ready it writes one line to stderr: POD-READY, its name and its socket, separated by tabs.",
      "SIGTERM and SIGINT stop it cleanly; a second signal ends it at once.",
      "Without --manifest it works in the current directory with the model whose key is in the environment,",
      "or with the embedded offline model if there is none."
    ].join("\n"),
    examples: ["serve", "serve --pod helper --cwd ~/project --manifest .pod/manifest.toml"]
  },
  run: {
    summary: "one turn, streamed to the terminal",
    positionals: "[TEXT]",
    arity: [0, 1],
    flags: {
      ...hosting,
      "no-wait": { type: "boolean", help: "fail if the pod is busy, instead of waiting in its queue" },
      json: { type: "boolean", help: "print the events of the run as lines of JSON on stdout" },
      ...common
    },
    about: [
      "Gives TEXT to the pod: to the running one of that name, or else to one that lives as long as the turn.",
      "TEXT comes from the argument, or from stdin if it is a single -. @path names a file to be attached.",
      "The answer goes to stdout, everything else to stderr. Ctrl-C cancels the run, a second one exits at once.",
      "A call that needs approval is asked for where stdin and stderr are terminals; elsewhere this command does not",
      "answer, and a call is denied at once if nobody else is attached who can.",
      "Exit code: 0 finished, 1 failed, 3 paused or at its limit, 4 pod or scope in use, 5 corrupt state, 130 cancelled."
    ].join("\n"),
    examples: ["run 'what is in this directory?'", "run --pod helper - < task.txt"]
  },
  attach: {
    summary: "interactive terminal client of a running pod",
    positionals: "NAME",
    arity: [1, 1],
    flags: {
      tail: { type: "string", value: "N", help: "entries of the past to show (default 20)" },
      ...common
    },
    about: [
      "Shows what the pod did last and what it does now. Each line that you type is sent to it; while it is busy,",
      "the line waits in its queue. /help lists the commands. Ctrl-C pauses a run, and leaves when nothing runs.",
      "A call that needs approval is shown with all that it would do: y allows it, n denies it, a allows it until the",
      "session ends. Whoever answers first decides, here or in another client."
    ].join("\n"),
    examples: ["attach helper"]
  },
  send: {
    summary: "one method, prints the reply (for scripts)",
    positionals: "NAME METHOD [JSON]",
    arity: [2, 3],
    flags: {
      timeout: { type: "string", value: "TIME", help: "longest wait for the reply (default 30s)" },
      ...common
    },
    about: "JSON holds the method's params. The result goes to stdout; a refusal goes to stderr as JSON, exit code 1.",
    examples: [
      "send helper pause",
      'send helper approve \'{"approval_id":"…","decision":"allow"}\'',
      'send helper run \'{"input":[{"kind":"text","content":"hello"}]}\''
    ]
  },
  list: {
    summary: "pods on this machine: live, stopped, restorable, broken",
    positionals: "",
    arity: [0, 0],
    flags: { json, ...common }
  },
  status: {
    summary: "state of one pod",
    positionals: "NAME",
    arity: [1, 1],
    flags: { json, ...common }
  },
  stop: {
    summary: "stop a running pod gracefully",
    positionals: "NAME",
    arity: [1, 1],
    flags: {
      grace: { type: "string", value: "TIME", help: "longest wait for the pod to be gone (default 10s)" },
      ...common
    },
    about: "A running turn is cancelled. Returns when the pod has let go of its name."
  },
  log: {
    summary: "readable transcript of a pod",
    positionals: "NAME",
    arity: [1, 1],
    flags: {
      json: { type: "boolean", help: "print the raw entries, one per line" },
      from: { type: "string", value: "N", help: "first entry, counted from 0 (default 0)" },
      limit: { type: "string", value: "N", help: "at most so many entries" },
      follow: {
        type: "boolean",
        help: "go on with what happens next, until the pod stops or Ctrl-C"
      },
      ...common
    },
    about: "Works for live and for stopped pods, and never changes anything.",
    examples: ["log helper", "log helper --follow --json"]
  },
  doctor: {
    summary: "check directories, credentials and helpers; says what to do",
    positionals: "",
    arity: [0, 0],
    flags: {
      manifest: hosting.manifest,
      pod: hosting.pod,
      cwd: hosting.cwd,
      json,
      ...common
    },
    about: "Names of variables are shown, never their values. Exit code 1 if something must be repaired."
  },
  models: {
    summary: "the catalog of models and what is configured",
    positionals: "",
    arity: [0, 0],
    flags: { json, ...common },
    about: [
      "Lists the providers with the variable that holds each key (whether it is set, never its value), and the models",
      "with their windows in tokens and their prices in US dollars per million tokens, as far as they are known.",
      "providers.toml and models.toml in the configuration directory are laid over what comes with the program."
    ].join("\n"),
    examples: ["models", "models --json"]
  },
  schema: {
    summary: "JSON Schema of manifest, methods, events and log entries",
    positionals: "",
    arity: [0, 0],
    flags: common
  },
  version: {
    summary: "version and protocol versions",
    positionals: "",
    arity: [0, 0],
    flags: { json, ...common }
  },
  help: {
    summary: "help on the program or on one command",
    positionals: "[COMMAND]",
    arity: [0, 1],
    flags: common
  },
  inspect: {
    summary: "everything about one pod: file, segments, runs, inbox, scope",
    positionals: "NAME",
    arity: [1, 1],
    flags: { json, ...common },
    about: "Works for live, stopped and broken pods, and never changes anything."
  },
  delete: {
    summary: "remove what is stored of a pod that does not run",
    positionals: "NAME",
    arity: [1, 1],
    flags: { "dry-run": dryRun, json, ...common },
    about: [
      "Removes its metadata and the segments of its session. What another pod needs stays, and a fork has all of its",
      "own. A live pod is refused with exit code 4. There is no way back: effect-pod export NAME keeps a copy."
    ].join("\n"),
    examples: ["delete helper --dry-run", "delete helper"]
  },
  prune: {
    summary: "remove pods that were not used for long",
    positionals: "",
    arity: [0, 0],
    flags: {
      "older-than": { type: "string", value: "TIME", help: "remove what was last written so long ago, like 30d or 2w" },
      orphans: { type: "boolean", help: "remove sessions too that no pod names" },
      "dry-run": dryRun,
      json,
      ...common
    },
    about: "Live and broken pods are skipped, and it says so. Exit code 1 if one could not be removed.",
    examples: ["prune --older-than 30d --dry-run"]
  },
  export: {
    summary: "the log of a pod as one portable file, secrets redacted",
    positionals: "NAME [FILE]",
    arity: [1, 2],
    flags: {
      format: {
        type: "string",
        value: "FORMAT",
        choices: ["native", "seed"],
        help: "native (default), or a segment file of the seed"
      },
      ...common
    },
    about: [
      "Writes to FILE, which must not be there yet, or to stdout. Works for live and for stopped pods. Values of variables",
      "that are named like keys, and what has the shape of a credential, are replaced; stderr says how many."
    ].join("\n"),
    examples: ["export helper helper.jsonl", "export helper --format seed > segment.jsonl"]
  },
  import: {
    summary: "a new pod from a portable file",
    positionals: "FILE",
    arity: [1, 1],
    flags: {
      pod: { type: "string", value: "NAME", help: "name of the new pod (default: the one in the file)" },
      json,
      ...common
    },
    about: [
      "Takes files of effect-pod export and segment files of the seed. The pod gets a session of its own and is not",
      "started. What its log says it may touch holds when it is: look at the file's origin before you import it."
    ].join("\n"),
    examples: ["import helper.jsonl --pod helper-2"]
  },
  repair: {
    summary: "verify a pod's log and set bad lines aside",
    positionals: "NAME",
    arity: [1, 1],
    flags: {
      session: { type: "string", value: "SEGMENT_ID", help: "this segment instead of the one that the pod is in" },
      "dry-run": dryRun,
      json,
      ...common
    },
    about: [
      "Names each line that cannot be read with file, line and byte. Puts it into a file of its own, and in its place a",
      "line that says so, to people and to the model. The file as it was stays beside it. A live pod is refused with",
      "exit code 4. With --dry-run nothing is changed, and exit code 5 says that there is something to mend."
    ].join("\n"),
    examples: ["repair helper --dry-run", "repair helper"]
  }
} as const satisfies Record<string, CommandSpec>

export type CommandName = keyof typeof specs

export const commands: Readonly<Record<CommandName, CommandSpec>> = specs

export const commandNames = Object.keys(specs) as ReadonlyArray<CommandName>

export const isCommand = (name: string): name is CommandName => Object.hasOwn(specs, name)
