import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { openLockFile } from "../../../layers/runtime/LeaseLockFile.ts"
import * as LeaseSocket from "../../../layers/runtime/LeaseSocket.ts"
import { tempDir } from "../store/TempDir.ts"

// Both kinds work on Linux; the second is what other systems get.
for (const platform of ["linux", "darwin"] as const) {
  describe.skipIf(process.platform === "win32" || (platform === "linux" && process.platform !== "linux"))(
    `LeaseSocket as on ${platform}`,
    () => {
      it.effect("locks by listening, says who holds what, and is free with the scope", () =>
        Effect.gen(function* () {
          const home = yield* tempDir
          const locks = LeaseSocket.make(platform)
          const paths = ["a", "b", "c"].map((name) => Path.join(home, name))
          const scope = yield* Scope.make()
          const mine = yield* Effect.forEach([paths[0]!, paths[1]!], openLockFile).pipe(Scope.provide(scope))
          assert.strictEqual(yield* locks.take(mine), undefined)
          const theirs = yield* Effect.forEach([paths[2]!, paths[1]!, paths[0]!], openLockFile)
          assert.strictEqual(yield* locks.take(theirs), 1)
          assert.deepStrictEqual(yield* locks.held([...paths, Path.join(home, "none")]), [true, true, true, false])
          yield* Scope.close(scope, Exit.void)
          assert.deepStrictEqual(yield* locks.held(paths), [false, false, true])
          const again = yield* Effect.forEach([paths[0]!, paths[1]!], openLockFile)
          assert.strictEqual(yield* locks.take(again), undefined)
        })
      )

      it.effect("takes over what a killed process left", () =>
        Effect.gen(function* () {
          const home = yield* tempDir
          const locks = LeaseSocket.make(platform)
          const path = Path.join(home, "lock")
          Fs.writeFileSync(path, "")
          const name = LeaseSocket.nameOf(platform, path)
          const script =
            "require('net').createServer().listen(process.argv[1].replace('@', '\\0'), () => process.kill(process.pid, 'SIGKILL'))"
          const { signal } = spawnSync(process.execPath, ["-e", script, name.replace("\0", "@")])
          assert.strictEqual(signal, "SIGKILL")
          assert.strictEqual(Fs.existsSync(name.replace("\0", "/no/")), platform === "darwin")
          assert.deepStrictEqual(yield* locks.held([path]), [false])
          assert.strictEqual(yield* locks.take([yield* openLockFile(path)]), undefined)
          assert.deepStrictEqual(yield* locks.held([path]), [true])
        })
      )
    }
  )
}
