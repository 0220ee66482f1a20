/**
 * The temporary files of one owner: new content stands in one beside its target until it takes its place.
 *
 * A kill between the two leaves it there. It has the owner's name in its own: whoever is the owner now removes it when it
 * first comes to that directory. There is one live owner of a name, so what bears it and is not in use is nobody's.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { Opened } from "./Opener.ts"

export interface Temporaries {
  /** A name that is in use as long as the Scope is open. */
  readonly name: Effect.Effect<string, never, Scope.Scope>
  /** Removes what an earlier process of the owner has left there. What cannot be removed stays. */
  readonly tidy: (directory: Opened, real: string) => Effect.Effect<void>
}

/** Directories that are known to be tidy. Beyond that they are looked through once more. */
const maxTidy = 1_000

/** Without an owner whatever a kill leaves stays where it is. */
export const make = (fs: FileSystem.FileSystem, owner: string | undefined): Temporaries => {
  const prefix = `.effect-pod-${owner === undefined ? "" : `${owner}-`}`
  const inUse = new Set<string>()
  const tidied = new Set<string>()

  const isLeft = (name: string): boolean => name.startsWith(prefix) && name.endsWith(".tmp") && !inUse.has(name)

  return {
    name: Effect.acquireRelease(
      Effect.map(Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER), (unique) => {
        const name = `${prefix}${unique.toString(36)}.tmp`
        inUse.add(name)
        return name
      }),
      (name) => Effect.sync(() => inUse.delete(name))
    ),
    tidy: Effect.fnUntraced(function* (directory, real) {
      if (owner === undefined || tidied.has(real)) return
      if (tidied.size >= maxTidy) tidied.clear()
      tidied.add(real)
      const names = yield* Effect.orElseSucceed(fs.readDirectory(directory.entry(".")), () => [])
      yield* Effect.forEach(names.filter(isLeft), (name) => Effect.ignore(fs.remove(directory.entry(name))), {
        discard: true
      })
    })
  }
}
