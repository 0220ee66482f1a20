/**
 * What the model knows of files while calls run: what the conversation shows, and what the calls of the same response
 * have seen meanwhile, whose results are not part of it yet.
 */
import type { SeenFile } from "../protocol/SeenFile.ts"

export interface KnownFiles {
  /** The hash of the content that the model saw last, by real path. */
  readonly get: (real: string) => string | undefined
  readonly add: (file: SeenFile) => void
}

/** For the calls of one response. What is added is forgotten with it: then the conversation has it, or never will. */
export const over = (shown: (real: string) => string | undefined): KnownFiles => {
  const added = new Map<string, string>()
  return {
    get: (real) => added.get(real) ?? shown(real),
    add: ({ path, sha256 }) => void added.set(path, sha256)
  }
}
