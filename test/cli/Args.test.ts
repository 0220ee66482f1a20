import { assert, describe, it } from "@effect/vitest"
import { parse, type Parsed } from "../../src/cli/Args.ts"
import { commandNames, commands } from "../../src/cli/Commands.ts"
import { commandHelp, programHelp, usageLine } from "../../src/cli/Help.ts"

const usage = (...argv: ReadonlyArray<string>): string => {
  const parsed = parse(argv)
  assert.strictEqual(parsed._tag, "Usage", JSON.stringify(parsed))
  return parsed._tag === "Usage" ? `${parsed.message}${parsed.hint === undefined ? "" : ` (${parsed.hint})`}` : ""
}

const command = (...argv: ReadonlyArray<string>): Extract<Parsed, { readonly _tag: "Command" }> => {
  const parsed = parse(argv)
  if (parsed._tag !== "Command") throw new Error(JSON.stringify(parsed))
  return parsed
}

describe("arguments", () => {
  it("serves without arguments and with a flag first", () => {
    assert.deepStrictEqual(parse([]), { _tag: "Command", command: "serve", flags: {}, positionals: [] })
    assert.deepStrictEqual(command("--pod", "a", "--ephemeral").flags, { pod: "a", ephemeral: true })
    assert.strictEqual(command("--pod", "a").command, "serve")
  })

  it("takes flags before and after positionals, joined or apart, and everything behind -- as it is", () => {
    assert.deepStrictEqual(command("run", "--pod=a", "do it", "--json"), {
      _tag: "Command",
      command: "run",
      flags: { pod: "a", json: true },
      positionals: ["do it"]
    })
    assert.deepStrictEqual(command("run", "--", "--help me").positionals, ["--help me"])
    assert.deepStrictEqual(command("run", "--", "--help").positionals, ["--help"])
    assert.deepStrictEqual(command("run", "-").positionals, ["-"])
    assert.strictEqual(command("log", "a", "--from=-1").flags["from"], "-1")
  })

  it("names the nearest command or flag that was probably meant", () => {
    assert.include(usage("sevre"), "did you mean serve?")
    assert.include(usage("satus", "x"), "did you mean status?")
    assert.include(usage("serve", "--manifset", "x"), "did you mean --manifest?")
    assert.include(usage("--emphemeral"), "did you mean --ephemeral?")
    assert.notInclude(usage("zzzzzzz"), "did you mean")
    assert.include(usage("serve", "-x"), "unknown flag -x")
  })

  it("refuses what cannot be meant", () => {
    assert.include(usage("serve", "--pod"), "--pod needs a value")
    assert.include(usage("serve", "--pod", "--ephemeral"), "looks like a flag")
    assert.include(usage("serve", "--pod="), "needs a value")
    assert.include(usage("serve", "--ephemeral=yes"), "takes no value")
    assert.include(usage("serve", "--pod", "a", "--pod", "b"), "given twice")
    assert.include(usage("serve", "--log-format", "xml"), "pretty, json")
    assert.include(usage("serve", "extra"), "unexpected argument")
    assert.include(usage("--log-level", "debug", "list"), "the command comes first")
    assert.include(usage("attach"), "needs NAME")
    assert.include(usage("send", "a"), "needs NAME METHOD")
    assert.include(usage("run", "two", "words"), "quotes")
    assert.include(usage("serve", "--manifest", "a", "--profile", "b"), "exclude each other")
  })

  it("recognises what belongs to later work and says so", () => {
    for (const flag of [["--profile", "p"], ["--adopt"], ["--callback", "/s"], ["--spawn-config", "-"]]) {
      assert.include(usage("serve", ...flag), "not available in this version")
    }
  })

  it("shows help for the program and for every command", () => {
    assert.deepStrictEqual(parse(["--help"]), { _tag: "Help", command: undefined })
    for (const name of commandNames) {
      assert.deepStrictEqual(parse([name, "--help"]), { _tag: "Help", command: name })
      assert.include(programHelp(), name)
      const help = commandHelp(name)
      for (const flag of Object.keys(commands[name].flags)) assert.include(help, `--${flag}`)
    }
    assert.include(usageLine("send"), "send [FLAGS] NAME METHOD [JSON]")
  })

  it("never prints control characters of what was typed", () => {
    assert.notMatch(usage("\u001b[31mred"), /\u001b/)
    assert.isBelow(usage("x".repeat(5000)).length, 200)
  })
})
