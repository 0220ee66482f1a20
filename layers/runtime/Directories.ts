/**
 * Where configuration, durable data and runtime files are, by the environment that is handed in.
 *
 * Text only: nothing is made and nothing is looked up. A variable that is set to the empty text counts as unset.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export interface Directories {
  readonly config: string
  readonly data: string
  readonly runtime: string
  /** `<data>/sessions` */
  readonly sessions: string
  /** `<data>/pods` */
  readonly pods: string
}

export class DirectoriesError extends Schema.TaggedError<DirectoriesError>()("DirectoriesError", {
  message: Schema.String,
  hint: Schema.String
}) {}

export type Env = Readonly<Record<string, string | undefined>>

/** `home` is what the system says if HOME is unset. */
export const resolve = (env: Env, home?: string): Effect.Effect<Directories, DirectoriesError> =>
  Effect.gen(function* () {
    const config = yield* directory(env, home, kinds.config)
    const data = yield* directory(env, home, kinds.data)
    const runtime = yield* directory(env, home, kinds.runtime)
    return { config, data, runtime, sessions: join(data, "sessions"), pods: join(data, "pods") }
  })

interface Kind {
  readonly what: string
  readonly own: string
  readonly inHome: string
  readonly xdg: string
  readonly fallback: string
}

const kinds: { readonly [K in "config" | "data" | "runtime"]: Kind } = {
  config: {
    what: "configuration",
    own: "EFFECT_POD_CONFIG_DIR",
    inHome: "config",
    xdg: "XDG_CONFIG_HOME",
    fallback: ".config/effect-pod"
  },
  data: {
    what: "data",
    own: "EFFECT_POD_DATA_DIR",
    inHome: "data",
    xdg: "XDG_DATA_HOME",
    fallback: ".local/share/effect-pod"
  },
  runtime: {
    what: "runtime",
    own: "EFFECT_POD_RUNTIME_DIR",
    inHome: "run",
    xdg: "XDG_RUNTIME_DIR",
    fallback: ".local/share/effect-pod/run"
  }
}

/** The nearest variable wins: the kind's own, EFFECT_POD_HOME, XDG, then a place below the home directory. */
const directory = Effect.fnUntraced(function* (env: Env, home: string | undefined, kind: Kind) {
  const own = yield* absolute(env, kind.own)
  if (own !== undefined) return own
  const all = yield* absolute(env, "EFFECT_POD_HOME")
  if (all !== undefined) return join(all, kind.inHome)
  const xdg = value(env, kind.xdg)
  // The XDG specification wants relative paths to be ignored.
  if (xdg?.startsWith("/") === true) return join(xdg, "effect-pod")
  const user = (yield* absolute(env, "HOME")) ?? home
  if (user !== undefined && user !== "") return join(user, kind.fallback)
  return yield* new DirectoriesError({
    message: `there is no ${kind.what} directory: none of ${kind.own}, EFFECT_POD_HOME, ${kind.xdg} and HOME is set`,
    hint: "set EFFECT_POD_HOME to a directory of your own"
  })
})

const value = (env: Env, name: string): string | undefined => (env[name] === "" ? undefined : env[name])

const absolute = (env: Env, name: string): Effect.Effect<string | undefined, DirectoriesError> => {
  const path = value(env, name)
  return path === undefined || path.startsWith("/")
    ? Effect.succeed(path)
    : Effect.fail(
        new DirectoriesError({
          message: `${name} is ${JSON.stringify(path)}: expected an absolute path`,
          hint: `write it with a leading slash, or unset ${name}`
        })
      )
}

const join = (base: string, name: string): string => `${base.replace(/\/+$/, "")}/${name}`
