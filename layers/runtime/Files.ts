/**
 * Node's file system with one difference: real paths are asked of the operating system in one call, and not put
 * together in JavaScript one component at a time. Every file tool asks for several.
 */
import { realpath } from "node:fs"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"

const withNativeRealPath = (fs: FileSystem.FileSystem): FileSystem.FileSystem => ({
  ...fs,
  realPath: (path) =>
    Effect.callback((resume) => {
      // The library's own call is made again for the error: it has the words for it.
      realpath.native(path, (error, real) => resume(error === null ? Effect.succeed(real) : fs.realPath(path)))
    })
})

export const layer: Layer.Layer<FileSystem.FileSystem> = Layer.effect(
  FileSystem.FileSystem,
  Effect.map(FileSystem.FileSystem, withNativeRealPath)
).pipe(Layer.provide(NodeFileSystem.layer))
