import { assert, describe, it } from "vitest"
import { decode, kindOf } from "../../src/web/Body.ts"
import { plainText } from "../../src/web/PlainText.ts"

const latin1 = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0))
const utf8 = (text: string) => new TextEncoder().encode(text)
const utf16 = (text: string) =>
  Uint8Array.from([...text].flatMap((character) => [character.charCodeAt(0) & 255, character.charCodeAt(0) >> 8]))
const whole = (bytes: Uint8Array) => ({ bytes, truncated: false })

describe("charset", () => {
  it("is the byte order mark's, then the header's, then the text's own, then UTF-8", () => {
    const bom = Uint8Array.from([0xff, 0xfe, ...utf16("früh")])
    assert.strictEqual(decode(whole(bom), "text/html; charset=utf-8"), "früh")
    const big = Uint8Array.from([0xfe, 0xff, 0, 0x66, 0, 0xfc])
    assert.strictEqual(decode(whole(big), "text/html; charset=utf-8"), "fü")
    assert.strictEqual(decode(whole(utf8("\uFEFFfrüh")), "text/html; charset=latin1"), "früh")
    assert.strictEqual(decode(whole(latin1("früh")), "text/plain; charset=ISO-8859-1"), "früh")
    assert.strictEqual(decode(whole(latin1("früh")), 'text/plain; Charset="windows-1252"'), "früh")
    const page = '<html><head><meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1">früh'
    assert.strictEqual(decode(whole(latin1(page)), "text/html"), page)
    const feed = '<?xml version="1.0" encoding="iso-8859-1"?><a>früh</a>'
    assert.strictEqual(decode(whole(latin1(feed)), "application/xml"), feed)
    assert.strictEqual(decode(whole(utf8("früh")), "text/plain"), "früh")
    assert.strictEqual(decode(whole(Uint8Array.from([0xb0, 0xa1])), "text/plain; charset=gb2312"), "啊")
  })

  it("that nobody knows is passed over, and so is a page in ASCII that says UTF-16", () => {
    assert.strictEqual(decode(whole(utf8("früh")), "text/plain; charset=klingon"), "früh")
    const page = '<meta charset="utf-16">früh'
    assert.strictEqual(decode(whole(utf8(page)), "text/html"), page)
  })

  it("leaves out a character that the limit cut in two", () => {
    const bytes = utf8("ab€")
    for (const length of [3, 4]) {
      assert.strictEqual(decode({ bytes: bytes.subarray(0, length), truncated: true }, "text/plain"), "ab")
    }
    assert.strictEqual(decode({ bytes, truncated: true }, "text/plain"), "ab€")
  })
})

describe("kinds", () => {
  it("are text, markup, or nothing to show", () => {
    const none = new Uint8Array()
    for (const type of ["text/html", "TEXT/HTML; charset=x", "application/xhtml+xml"]) {
      assert.strictEqual(kindOf(type, none), "html", type)
    }
    for (const type of [
      "text/markdown",
      "application/json",
      "application/ld+json",
      "application/rss+xml",
      "text/csv"
    ]) {
      assert.strictEqual(kindOf(type, none), "text", type)
    }
    for (const type of ["image/png", "application/pdf", "application/octet-stream", "application/zip"]) {
      assert.strictEqual(kindOf(type, none), undefined, type)
    }
    assert.strictEqual(kindOf("", utf8(" <!DOCTYPE html><p>")), "html")
    assert.strictEqual(kindOf("", utf8("plain")), "text")
  })
})

describe("bare text", () => {
  it("has what is between the tags, a line for each block", () => {
    assert.strictEqual(
      plainText(
        "<head><title>T</title></head><h1>One &amp; two</h1><p>a <b>b</b>&#8364;&nbsp;c<br>d<script>x<p></script>e"
      ),
      "One & two\na b€ c\nd\ne"
    )
  })

  it("has nothing of a comment, and a sign for a character that there is not", () => {
    assert.strictEqual(plainText("a<!-- <p>no --> b &#1114112; &#0;"), "a b \uFFFD \uFFFD")
  })

  it("ends for whatever it is given", () => {
    for (const part of ["<", "<!--", "<div>", "<script>", "</", "&#", "<a <a ", "<p attr='"]) {
      assert.isAtMost(plainText(part.repeat(200_000)).length, 2_000_000)
    }
  })
})
