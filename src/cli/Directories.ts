/** Where this user keeps what, for a person: a command says what is wrong with the environment, and how to mend it. */
import { homedir } from "node:os"
import * as Effect from "effect/Effect"
import * as Directories from "../../layers/runtime/Directories.ts"
import { type CliError, failed } from "./CliError.ts"

type Env = Readonly<Record<string, string | undefined>>

export const directoriesOf = (env: Env): Effect.Effect<Directories.Directories, CliError> =>
  Effect.mapError(Directories.resolve(env, homedir()), ({ hint, message }) => failed(message, hint))
