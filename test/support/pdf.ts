/** PDF documents as tests need them: small, whole, and every one as wrong as is asked for. */
import { createHash } from "node:crypto"

export interface PdfOptions {
  /** Inside the catalog. */
  readonly catalog?: string
  /** Passwords; the document is encrypted with the key that follows from them (RC4, 40 bits). */
  readonly encrypted?: { readonly user: string; readonly owner: string }
  /** A page's content stream as it is, with its filter. */
  readonly filter?: string
  /** Besides its text, what a page carries: so many bytes that do not get smaller. */
  readonly ballast?: number
  /** Instead of the right number. */
  readonly count?: number
}

/** A document with these texts, one a page; a page without text has none. */
export const pdf = (texts: ReadonlyArray<string | Uint8Array>, options: PdfOptions = {}): Uint8Array => {
  const key = options.encrypted === undefined ? undefined : keyOf(options.encrypted)
  const kids = texts.map((_, index) => `${5 + index * 3} 0 R`).join(" ")
  const objects: Array<string> = [
    `<< /Type /Catalog /Pages 2 0 R ${options.catalog ?? ""} >>`,
    `<< /Type /Pages /Count ${options.count ?? texts.length} /Kids [${kids}] >>`,
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    key === undefined ? "null" : key.dictionary
  ]
  for (const [index, text] of texts.entries()) {
    const at = 5 + index * 3
    objects.push(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents ${at + 1} 0 R /Resources << /Font << /F1 3 0 R >> ` +
        `/XObject << /I1 ${at + 2} 0 R >> >> >>`,
      stream(typeof text === "string" ? content(text) : latin(text), at + 1, options.filter ?? "", key),
      stream(
        noise(options.ballast ?? 1, at),
        at + 2,
        `/Type /XObject /Subtype /Image /Width 1 /Height ${options.ballast ?? 1} /BitsPerComponent 8 /ColorSpace /DeviceGray`,
        key
      )
    )
  }
  const parts = ["%PDF-1.7\n"]
  let length = parts[0]?.length ?? 0
  const offsets = objects.map((object, index) => {
    const part = `${index + 1} 0 obj\n${object}\nendobj\n`
    const offset = length
    parts.push(part)
    length += part.length
    return offset
  })
  const rows = offsets.map((offset) => `${String(offset).padStart(10, "0")} 00000 n \n`).join("")
  const security = key === undefined ? "" : `/Encrypt 4 0 R /ID [<${key.id}> <${key.id}>]`
  parts.push(
    `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${rows}`,
    `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R ${security} >>\nstartxref\n${length}\n%%EOF\n`
  )
  return Buffer.from(parts.join(""), "latin1")
}

/** `Page 1`, `Page 2`, … */
export const numbered = (count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, index) => `Page ${index + 1}`)

/** The same document with something else in it. */
export const changed = (document: Uint8Array, from: string | RegExp, to: string): Uint8Array =>
  Buffer.from(
    latin(document).replace(from, () => to),
    "latin1"
  )

const latin = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1")

/** Each line of a text a line on the page. */
const content = (text: string): string =>
  text === ""
    ? ""
    : `BT /F1 12 Tf 14 TL 20 180 Td ${text
        .split("\n")
        .map((line) => `(${line}) Tj T*`)
        .join(" ")} ET`

/** The same for the same seed. */
const noise = (length: number, seed: number): string => {
  const bytes = Buffer.alloc(length)
  let state = seed
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[index] = state >>> 16
  }
  return bytes.toString("latin1")
}

interface Key {
  readonly id: string
  readonly dictionary: string
  readonly of: (object: number) => Uint8Array
}

const stream = (body: string, object: number, dictionary: string, key: Key | undefined): string => {
  const written = key === undefined ? body : rc4(key.of(object), Buffer.from(body, "latin1")).toString("latin1")
  return `<< /Length ${written.length} ${dictionary} >>\nstream\n${written}\nendstream`
}

const filling = Buffer.from("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A", "hex")
const padded = (password: string) => Buffer.concat([Buffer.from(password, "latin1"), filling]).subarray(0, 32)
const md5 = (...parts: ReadonlyArray<Uint8Array>) => createHash("md5").update(Buffer.concat(parts)).digest()

/** The standard security handler, revision 2: ISO 32000-1, 7.6.3. */
const keyOf = ({ owner, user }: { readonly user: string; readonly owner: string }): Key => {
  const id = "0123456789abcdef0123456789abcdef"
  const forOwner = rc4(md5(padded(owner)).subarray(0, 5), padded(user))
  const key = md5(padded(user), forOwner, Buffer.from([0xfc, 0xff, 0xff, 0xff]), Buffer.from(id, "hex")).subarray(0, 5)
  const forUser = rc4(key, filling)
  return {
    id,
    dictionary: `<< /Filter /Standard /V 1 /R 2 /O <${forOwner.toString("hex")}> /U <${forUser.toString("hex")}> /P -4 >>`,
    of: (object) => md5(key, Buffer.from([object & 255, (object >> 8) & 255, 0, 0, 0])).subarray(0, 10)
  }
}

const rc4 = (key: Uint8Array, data: Uint8Array): Buffer => {
  const state = Array.from({ length: 256 }, (_, index) => index)
  const swap = (a: number, b: number) => {
    const kept = state[a] as number
    state[a] = state[b] as number
    state[b] = kept
  }
  for (let a = 0, b = 0; a < 256; a++) {
    b = (b + (state[a] as number) + (key[a % key.length] as number)) & 255
    swap(a, b)
  }
  let a = 0
  let b = 0
  return Buffer.from(
    data.map((byte) => {
      a = (a + 1) & 255
      b = (b + (state[a] as number)) & 255
      swap(a, b)
      return byte ^ (state[((state[a] as number) + (state[b] as number)) & 255] as number)
    })
  )
}
