import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { execFile, spawnSync } from "node:child_process"
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { blocks, pathOf, read } from "./markdown.ts"

const timeout = 60_000

/** Blocks that begin with their name. The first code in the text behind one is the last line that it prints. */
const programs = ["README.md", "docs/embedding.md"].flatMap((file) => {
  const markdown = read(file)
  return blocks(markdown).flatMap(({ info, text }) => {
    const name = info === "ts" ? /^\/\/ program: (\S+)\.ts\n/.exec(text)?.[1] : undefined
    const behind = markdown.slice(markdown.indexOf(text) + text.length + "```".length)
    return name === undefined ? [] : [{ file, name, text, said: /`([^`\n]+)`/.exec(behind)?.[1] }]
  })
})

/** Inside the tree, so that "effect-pod" is the built package, as it is for those who install it. */
let built = ""
let complaints = ""

beforeAll(() => {
  built = mkdtempSync(pathOf(".dist-docs-"))
  for (const { name, text } of programs) writeFileSync(join(built, `${name}.ts`), text)
  const output = { noEmit: false, allowImportingTsExtensions: false, rootDir: built, outDir: join(built, "out") }
  const compilerOptions = { ...output, paths: {} }
  const project = { extends: pathOf("tsconfig.json"), compilerOptions, include: [`${built}/*.ts`] }
  writeFileSync(join(built, "tsconfig.json"), JSON.stringify(project))
  const tsc = pathOf("node_modules/typescript/bin/tsc")
  complaints = spawnSync(process.execPath, [tsc, "-p", built], { encoding: "utf8" }).stdout
}, timeout)

afterAll(() => rmSync(built, { recursive: true, force: true }))

/** What it prints, run in a directory of its own. */
const run = async (name: string): Promise<string> => {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "effect-pod-docs-")))
  const env = { PATH: process.env["PATH"], EFFECT_POD_HOME: join(directory, "home") }
  try {
    return await new Promise((resolve, reject) => {
      execFile(
        process.execPath,
        [join(built, "out", `${name}.js`)],
        { cwd: directory, env, timeout },
        (error, stdout, stderr) => (error === null ? resolve(stdout) : reject(new Error(`${name}: ${stderr}`)))
      )
    })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

describe("the programs of the documentation", () => {
  it("have their types in order", () => {
    expect(programs.length).toBeGreaterThan(5)
    expect(complaints).toBe("")
  })

  it.concurrent.each(programs)("$name in $file prints what is said", { timeout }, async ({ name, said }) => {
    const printed = await run(name)
    expect(printed.trimEnd().split("\n").at(-1)).toBe(said)
  })

  it("and the test in docs/embedding.md is the one that runs here", () => {
    expect(blocks(read("docs/embedding.md")).map(({ text }) => text)).toContain(read("test/docs/Example.test.ts"))
  })
})
