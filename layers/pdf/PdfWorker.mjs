/**
 * The process that looks into one PDF document: how many pages it has, some of them as a document of their own, or their
 * text. The question comes on its standard input, a line of JSON with the document behind it, and its answer is JSON.
 *
 * A file of its own, in plain JavaScript: a process starts from a file, and this one is the same file in the sources, in
 * the library and in the program.
 */
import { getDocument } from "unpdf/pdfjs"
import { buffer } from "node:stream/consumers"

/** pdf.js leaves out what it cannot read, says so, and goes on. Standard output is for the answer. */
let leftOut = 0
for (const name of ["debug", "error", "info", "log", "warn"]) {
  console[name] = (/** @type {unknown} */ message) => {
    if (/ignoring errors/i.test(String(message))) leftOut++
  }
}

/** @param {unknown} answer */
const tell = (answer) => process.stdout.write(JSON.stringify(answer))

/** Of a document that asks for no password. */
const open = async (/** @type {Uint8Array} */ data) => {
  const document = await getDocument({ data, verbosity: 1, useSystemFonts: false, disableFontFace: true }).promise
  const { info } = await document.getMetadata()
  return { document, total: document.numPages, encrypted: Boolean(info?.["EncryptFilterName"]) }
}

/** As many of the first ones as fit. */
const cut = async (document, pages, maxBytes) => {
  for (let count = pages.length; count > 0; ) {
    const wanted = pages.slice(0, count)
    // oxlint-disable-next-line no-await-in-loop -- how many are tried next depends on it
    const bytes = await document.extractPages([{ document: null, includePages: wanted.map((page) => page - 1) }])
    if (!(bytes?.length > 0)) throw new Error("its pages cannot be taken out")
    if (bytes.length <= maxBytes) return { pages: wanted, data: Buffer.from(bytes).toString("base64") }
    count = Math.min(count - 1, Math.max(1, Math.floor((count * maxBytes) / bytes.length)))
  }
  return { pages: [], data: "" }
}

const textOf = async (document, number, maxCharacters) => {
  const before = leftOut
  try {
    const page = await document.getPage(number)
    const { items } = await page.getTextContent()
    const whole = items.map(({ hasEOL, str = "" }) => (hasEOL ? `${str}\n` : str)).join("")
    page.cleanup()
    // Nobody sees these, and they would stand in the journal for ever.
    const text = whole
      .toWellFormed()
      // oxlint-disable-next-line no-control-regex
      .replace(/[\u0000-\u0008\u000b-\u001f]/g, "")
      .trim()
    return {
      page: number,
      text: text.slice(0, maxCharacters).toWellFormed(),
      length: text.length,
      whole: leftOut === before
    }
  } catch {
    return { page: number, text: "", length: 0, whole: false }
  }
}

const texts = async (document, pages, maxCharacters) => {
  const found = []
  let left = maxCharacters
  for (const page of pages) {
    if (left <= 0) break
    // oxlint-disable-next-line no-await-in-loop -- one page at a time in memory
    const one = await textOf(document, page, maxCharacters)
    left -= one.text.length
    found.push(one)
  }
  return { pages: found }
}

const answer = async () => {
  const input = await buffer(process.stdin)
  const end = input.indexOf("\n")
  const { max, pages, what } = JSON.parse(input.subarray(0, end).toString("utf8"))
  // pdf.js takes the memory that it is given with it.
  const { document, encrypted, total } = await open(new Uint8Array(input.subarray(end + 1)))
  const there = pages.filter((page) => page <= total)
  switch (what) {
    case "look":
      return { total, encrypted }
    case "cut":
      return { total, encrypted, ...(await cut(document, there, max)) }
    case "text":
      return { total, encrypted, ...(await texts(document, there, max)) }
  }
}

try {
  tell(await answer())
} catch (error) {
  tell({
    problem: error?.name === "PasswordException" ? "password" : "broken",
    message: String(error?.message ?? error)
  })
}
