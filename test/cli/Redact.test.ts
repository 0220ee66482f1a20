import { assert, describe, it } from "vitest"
import * as Redact from "../../src/cli/Redact.ts"

const clean = (text: string, env: Readonly<Record<string, string>> = {}) => {
  const redactor = Redact.make(env)
  return [redactor.clean(text), redactor.count()] as const
}

describe("redaction", () => {
  it("finds what has the shape of a credential, and leaves what stands around it", () => {
    const block = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"
    const cases: ReadonlyArray<readonly [string, string]> = [
      ["curl -H 'Authorization: Bearer abcdefgh12345678' x", "curl -H 'Authorization: Bearer [redacted]' x"],
      [`{\\"authorization\\":\\"Basic dXNlcjpwYXNz\\"}`, `{\\"authorization\\":\\"Basic [redacted]\\"}`],
      ["key sk-ant-api03-abcdefghijklmnop.", "key [redacted]."],
      ["id AKIAIOSFODNN7EXAMPLE end", "id [redacted] end"],
      ["aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "aws_secret_access_key = [redacted]"],
      ["push with ghp_abcdefghijklmnopqrstuvwxyz0123456789", "push with [redacted]"],
      ["or github_pat_11ABCDEFG0123456789_abcdefghij", "or [redacted]"],
      ["OPENAI_API_KEY=abcdefghijklmnop1234; echo", "OPENAI_API_KEY=[redacted]; echo"],
      ["OPENAI_API_KEY=sk-abcdefghijklmnopqrst", "OPENAI_API_KEY=[redacted]"],
      [`export MY_TOKEN="s3cret/with+more"`, `export MY_TOKEN="[redacted]"`],
      [`{\\"command\\":\\"DB_PASSWORD=hunter2222 ./run\\"}`, `{\\"command\\":\\"DB_PASSWORD=[redacted] ./run\\"}`],
      ["openai_api_key: 0123456789abcdef0123", "openai_api_key: [redacted]"],
      [`{"client_secret": "abcdefgh1234"}`, `{"client_secret": "[redacted]"}`],
      ["or glpat-abcdefghij1234567890", "or [redacted]"],
      ["or sk_live_abcdefghijklmnop1234", "or [redacted]"],
      ["or eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijklmnopqrstuv", "or [redacted]"],
      ["x-api-key: 0123456789abcdef0123", "x-api-key: [redacted]"],
      ["postgres://me:hunter2@db/x", "postgres://me:[redacted]@db/x"],
      [`a ${block} b`, "a [redacted] b"],
      [`a ${block.replaceAll("\n", "\\n")} b`, "a [redacted] b"],
      ["cut -----BEGIN PRIVATE KEY-----\nMIIE", "cut [redacted]"]
    ]
    for (const [text, expected] of cases) assert.deepStrictEqual(clean(text), [expected, 1], text)
  })

  it("leaves alone what only looks a little like one", () => {
    for (const text of [
      "risk-averse",
      "sk-short",
      "the authorization was given",
      "https://host:8080/path@2",
      "ghp_x",
      "MAX_TOKENS=100000000",
      "TOKEN=$(get-it --now)",
      'MY_TOKEN="$OTHER_TOKEN"',
      "PRIMARY_KEY=customer_id",
      "the password: not given"
    ]) {
      assert.deepStrictEqual(clean(text), [text, 0], text)
    }
  })

  it("finds the values of variables that are named like keys, also inside JSON, and no others", () => {
    const env = {
      ANTHROPIC_API_KEY: 'with "quotes" in it',
      MY_TOKEN: "tok-12345678",
      LONGER_SECRET: "tok-12345678-and-more",
      SHORT_KEY: "abc",
      PWD: "/home/me/project",
      MONKEY: "banana-banana"
    }
    const json = JSON.stringify({ a: env.ANTHROPIC_API_KEY })
    assert.deepStrictEqual(clean(`${json} tok-12345678-and-more tok-12345678`, env), [
      '{"a":"[redacted]"} [redacted] [redacted]',
      3
    ])
    assert.deepStrictEqual(clean("abc /home/me/project banana-banana", env), ["abc /home/me/project banana-banana", 0])
  })

  it("looks into every string of a value, names of fields too, and keeps the rest", () => {
    const redactor = Redact.make({})
    const secret = "sk-abcdefghijklmnopqrst"
    const json = { [secret]: 1, list: [secret, 2, null, { deep: `x ${secret}` }], ok: true }
    assert.deepStrictEqual(redactor.clean(json), {
      "[redacted]": 1,
      list: ["[redacted]", 2, null, { deep: "x [redacted]" }],
      ok: true
    })
    assert.strictEqual(redactor.count(), 3)
  })
})
