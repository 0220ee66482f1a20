import { describe, expect, it } from "vitest"
import { execFile, spawnSync } from "node:child_process"
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { blocks, pathOf, read } from "./markdown.ts"

const timeout = 60_000

const programs = ["README.md", "docs/embedding.md"].flatMap((file) =>
  blocks(read(file)).flatMap(({ info, line, text }) => {
    const name = info === "ts" ? /^\/\/ program: (\S+)\n/.exec(text)?.[1] : undefined
    return name === undefined ? [] : [{ file, line, name, text }]
  })
)

/** Runs a program of the documentation in a directory of its own. Returns what it printed. */
const run = async (name: string, text: string): Promise<string> => {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "effect-pod-docs-")))
  try {
    const file = join(directory, name)
    writeFileSync(file, text)
    return await new Promise((resolve, reject) => {
      execFile(
        process.execPath,
        [pathOf("scripts/run-ts.mjs"), file],
        { cwd: directory, env: { PATH: process.env["PATH"], EFFECT_POD_HOME: join(directory, "home") }, timeout },
        (error, stdout, stderr) => (error === null ? resolve(stdout) : reject(new Error(`${name}: ${stderr}`)))
      )
    })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

describe("the programs of the documentation", () => {
  it("are there", () => {
    expect(programs.map(({ name }) => name)).toContain("greeter.ts")
  })

  it.each(programs)("$name in $file runs and prints what is said", { timeout }, async ({ file, name, text }) => {
    const printed = await run(name, text)
    const said = /`([^`]+)`/.exec(read(file).slice(read(file).indexOf(text) + text.length))?.[1]
    expect(printed.trim().split("\n").at(-1)).toBe(said)
  })

  it("with their types in order", { timeout }, () => {
    const directory = mkdtempSync(pathOf(".dist-docs-"))
    try {
      for (const { name, text } of programs) writeFileSync(join(directory, name), text)
      const project = { extends: pathOf("tsconfig.json"), include: [`${directory}/*.ts`] }
      writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(project))
      const tsc = pathOf("node_modules/typescript/bin/tsc")
      const { stdout } = spawnSync(process.execPath, [tsc, "-p", directory], { encoding: "utf8" })
      expect(stdout).toBe("")
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })

  it("and the test in docs/embedding.md is the one that runs here", () => {
    expect(blocks(read("docs/embedding.md")).map(({ text }) => text)).toContain(read("test/docs/Example.test.ts"))
  })
})
