/** What is shown of long output, for any text in any pieces: whole characters, nothing twice, nothing lost. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Schema from "effect/Schema"
import * as NFS from "node:fs"
import * as CommandOutput from "../../src/tools/CommandOutput.ts"
import * as OutputFiles from "../../src/tools/OutputFiles.ts"
import { tempDir } from "../scope/support.ts"

const encode = (text: string) => new TextEncoder().encode(text)

layer(NodeFileSystem.layer)("the output of a command", (it) => {
  it.effect.prop(
    "is its head and its tail with a count of what is between, between characters, and all of it in the file",
    {
      lines: Schema.Array(
        Schema.Struct({
          unit: Schema.Literals(["a", "é", "€", "😀"]),
          times: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3000 }))
        })
      ).check(Schema.isMaxLength(120)),
      step: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9000 }))
    },
    ({ lines, step }) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const whole = encode(lines.map(({ times, unit }) => `${unit.repeat(times)}\n`).join(""))
        const directory = yield* tempDir
        const limits = CommandOutput.defaultLimits
        const files = OutputFiles.make({ fs, directory, totalBytes: limits.totalBytes })
        const output = yield* CommandOutput.make({ files, limits })
        for (let at = 0; at < whole.length; at += step) yield* output.push(whole.subarray(at, at + step))
        const { content, file, truncated } = yield* output.finish
        assert.notInclude(content, "\ufffd")
        if (!truncated) {
          assert.deepStrictEqual(encode(content), whole)
          assert.isUndefined(file)
          return
        }
        assert.deepStrictEqual(new Uint8Array(NFS.readFileSync(file?.path ?? "")), whole)
        const [, body = ""] = /^\[[^\n]*\]\n([^]*)$/.exec(content) ?? []
        const cut = /\n?\[\.\.\. (\d+) bytes left out \.\.\.\]\n/.exec(body)
        const left = Number(cut?.[1] ?? 0)
        const head = encode(cut === null ? body : body.slice(0, cut.index))
        const tail = encode(cut === null ? "" : body.slice(cut.index + cut[0].length))
        const newline = cut === null || left + head.length + tail.length === whole.length ? 0 : 1
        assert.strictEqual(head.length + newline + left + tail.length, whole.length)
        assert.deepStrictEqual(head, whole.slice(0, head.length))
        assert.deepStrictEqual(tail, whole.slice(whole.length - tail.length))
        assert.isBelow(encode(content).length, 13_000)
      }).pipe(Effect.scoped),
    { arbitrary: { runs: 300 } }
  )
})
