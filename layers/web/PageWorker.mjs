/**
 * The process that reads one page: a document from the markup, the article in it, Markdown of that. The page comes on its
 * standard input, and its answer is JSON.
 *
 * A file of its own, in plain JavaScript: a process starts from a file, and this one is the same file in the sources, in
 * the library and in the program.
 */
import { Readability } from "@mozilla/readability"
import { parseHTML } from "linkedom"
import Turndown from "turndown"
import { json } from "node:stream/consumers"

/** @type {{ html: string, url: string }} */
const { html, url } = await json(process.stdin)

const isWhole = /<html[\s>]/i.test(html)
const { document } = parseHTML(isWhole ? html : `<!doctype html><html><head></head><body>${html}</body></html>`)
const title = document.querySelector("title")?.textContent?.replace(/\s+/g, " ").trim() || undefined

/** @param {string} name @param {string} value */
const absolute = (name, value) => {
  try {
    return new URL(value, url).href
  } catch {
    return name === "href" ? value : undefined
  }
}

for (const name of ["href", "src"]) {
  for (const element of document.querySelectorAll(`[${name}]`)) {
    const value = element.getAttribute(name) ?? ""
    // A link within the page says nothing outside of it; data is not for reading.
    const full = /^(?:#|data:|javascript:)/i.test(value) ? undefined : absolute(name, value)
    if (full === undefined) element.removeAttribute(name)
    else element.setAttribute(name, full)
  }
}

const turndown = new Turndown({ headingStyle: "atx", codeBlockStyle: "fenced", bulletListMarker: "-", hr: "---" })
turndown.remove(["script", "style", "noscript", "template", "iframe", "form", "button", "nav", "title"])
turndown.addRule("picture", { filter: "img", replacement: (_text, node) => node.getAttribute("alt") ?? "" })
turndown.addRule("bare anchor", {
  filter: (node) => node.nodeName === "A" && !node.getAttribute("href"),
  replacement: (text) => text
})
turndown.addRule("cell", {
  filter: ["th", "td"],
  replacement: (text, node) =>
    `${node.previousElementSibling === null ? "| " : " "}${text
      .trim()
      .replace(/\s*\n\s*/g, " ")
      .replaceAll("|", "\\|")} |`
})
turndown.addRule("row", {
  filter: "tr",
  replacement: (text, node) => {
    const cells = node.children.length
    const isFirst = node.parentNode?.querySelector("tr") === node && node.closest("table")?.querySelector("tr") === node
    return `\n${text}${isFirst && cells > 0 ? `\n|${" --- |".repeat(cells)}` : ""}`
  }
})
turndown.addRule("table", { filter: ["table"], replacement: (text) => `\n\n${text.trim()}\n\n` })
turndown.addRule("table part", { filter: ["thead", "tbody", "tfoot"], replacement: (text) => text })

// It changes the document that it is given.
const whole = document.documentElement.innerHTML
const article = new Readability(document, { charThreshold: 200, keepClasses: true }).parse()
const markdown = turndown.turndown(article?.content || whole)

process.stdout.write(JSON.stringify({ title: article?.title || title, markdown: markdown.trim() }))
