import { assert, describe, it } from "@effect/vitest"
import { toolEnvironment } from "../../src/tools/Environment.ts"

describe("toolEnvironment", () => {
  it("lets through what is listed and nothing else", () => {
    const env = toolEnvironment({
      PATH: "/bin",
      HOME: "/h",
      LC_ALL: "C",
      LC_TIME: "C",
      GITHUB_TOKEN: "t",
      ANTHROPIC_API_KEY: "k",
      AWS_SECRET_ACCESS_KEY: "s",
      LD_PRELOAD: "x",
      BASH_ENV: "x",
      "BASH_FUNC_ls%%": "() { :; }",
      TERM: undefined
    })
    assert.deepStrictEqual(env, { PATH: "/bin", HOME: "/h", LC_ALL: "C", LC_TIME: "C" })
  })

  it("adds what a manifest lists, but never an API key", () => {
    const env = { PATH: "/bin", CI: "1", MY_A: "a", MY_B: "b", OPENAI_API_KEY: "k", my_api_key: "k" }
    assert.deepStrictEqual(toolEnvironment(env, ["CI", "MY_*", "OPENAI_API_KEY", "my_api_key", "*"]), {
      PATH: "/bin",
      CI: "1",
      MY_A: "a",
      MY_B: "b"
    })
  })

  it("always has a PATH", () => {
    assert.deepStrictEqual(toolEnvironment({}), { PATH: "/usr/local/bin:/usr/bin:/bin" })
    assert.deepStrictEqual(toolEnvironment({ PATH: "" }), { PATH: "/usr/local/bin:/usr/bin:/bin" })
  })
})
