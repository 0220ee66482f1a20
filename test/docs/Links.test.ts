import { describe, expect, it } from "vitest"
import { existsSync, readdirSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { pathOf, read } from "./markdown.ts"

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  ...readdirSync(pathOf("docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`)
]

const withoutCode = (markdown: string): string =>
  markdown.replaceAll(/^```.*?^```$/gms, "").replaceAll(/`[^`\n]*`/g, "")

const links = (page: string): ReadonlyArray<string> =>
  Array.from(withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g), ([, target = ""]) => target).filter(
    (target) => !/^https?:/.test(target)
  )

/** As they are made of headings: lower case, marks left out, blanks as hyphens. */
const anchors = (page: string): ReadonlySet<string> =>
  new Set(
    Array.from(
      read(page)
        .replaceAll(/^```.*?^```$/gms, "")
        .matchAll(/^#+ (.+)$/gm),
      ([, heading = ""]) =>
        heading
          .toLowerCase()
          .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
          .replaceAll(" ", "-")
    )
  )

describe.each(pages)("%s", (page) => {
  it.each(Array.from(new Set(links(page))))("%s leads somewhere", (target) => {
    const [path = "", anchor] = target.split("#")
    const file = path === "" ? page : normalize(join(dirname(page), path))
    expect(existsSync(pathOf(file)), file).toBe(true)
    if (anchor !== undefined) expect(anchors(file)).toContain(anchor)
  })

  it("names every file of the project that it means by its path", () => {
    const paths = read(page).match(/(?<![\w./<-])(?:src|layers|scripts|test)\/[\w./-]+\.(?:ts|mjs|jsonl)/g) ?? []
    expect(paths.filter((path) => !existsSync(pathOf(path)) && !path.startsWith("src/bin"))).toEqual([])
  })
})
