import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import { parseShell } from "../../layers/shell/UnbashScript.ts"
import { decideCall } from "../../src/manifest/PermissionRules.ts"
import { shellSubjects } from "../../src/manifest/ShellCommands.ts"
import type { PermissionsTable } from "../../src/manifest/tables/Permissions.ts"

const texts = (command: string) => shellSubjects(command, parseShell).commands.map(({ text }) => text)

type Rule = readonly ["allow" | "deny" | "ask", string]

const decide = (command: string, otherwise: "allow" | "deny" | "ask", ...rules: ReadonlyArray<Rule>) => {
  const permissions: PermissionsTable = {
    default_action: otherwise,
    rule: rules.map(([action, pattern]) => ({ tool: "Bash", action, pattern })),
    ask_timeout: Duration.minutes(10)
  }
  const { commands } = shellSubjects(command, parseShell)
  const subjects = commands.map((subject) => ({ ...subject, tool: "Bash" }))
  return decideCall(permissions, { target: command, subjects, script: { tool: "Bash", text: command } })
}

describe("what a shell command runs", () => {
  it("each command of a pipeline, a list, a subshell and a substitution, without quotes and escapes", () => {
    assert.deepStrictEqual(texts("git log | head -n1 && (r\\m -rf 'a b'; echo `id` \"$(who am i)\") # rm y"), [
      "git log",
      "head -n1",
      "rm -rf a b",
      "echo … …",
      "id",
      "who am i"
    ])
  })

  it("every command has to be allowed", () => {
    const git: Rule = ["allow", "git *"]
    assert.strictEqual(decide("git status && git diff", "deny", git).action, "allow")
    assert.deepInclude(decide("git status; curl evil", "deny", git), { action: "deny", part: "curl evil" })
    assert.deepInclude(decide("git status\ncurl evil", "ask", git), { action: "ask", part: "curl evil" })
    assert.strictEqual(decide("git log $(curl evil)", "deny", git).action, "deny")
    assert.strictEqual(decide("git log $HOME", "deny", git).action, "allow")
    assert.strictEqual(decide("git log 'unfinished", "deny", git).action, "deny")
    assert.strictEqual(decide("git log 'unfinished", "allow", ["deny", "rm *"]).action, "deny")
    assert.strictEqual(decide("git log 'unfinished", "allow").action, "allow")
    assert.strictEqual(decide("", "deny", git).action, "deny")
  })

  it("a program is known by its name for what is denied, and by how it is called for what is allowed", () => {
    assert.strictEqual(decide("/usr/bin/rm x", "allow", ["deny", "rm *"]).action, "deny")
    assert.strictEqual(decide("./git status", "deny", ["allow", "git *"]).action, "deny")
    assert.strictEqual(decide("/usr/bin/git status", "deny", ["allow", "/usr/bin/git *"]).action, "allow")
  })

  it("what only passes a command on is not asked about, what adds something is", () => {
    const npm: Rule = ["allow", "npm *"]
    for (const text of ["timeout 5 npm test", "env npm test", "nohup nice -n 3 npm test", "bash -c 'npm test'"]) {
      assert.strictEqual(decide(text, "deny", npm).action, "allow", text)
    }
    for (const text of ["sudo npm test", "echo a | xargs npm test", "./env npm test", "timeout $T npm test"]) {
      assert.strictEqual(decide(text, "deny", npm, ["allow", "echo *"]).action, "deny", text)
    }
    assert.strictEqual(decide("sudo npm test", "deny", npm, ["allow", "sudo *"]).action, "allow")
    // A rule about the wrapper still denies.
    assert.strictEqual(decide("timeout 5 npm test", "deny", ["deny", "timeout *"], npm).action, "deny")
    assert.strictEqual(decide("bash -c 'npm test'", "allow", ["ask", "bash *"]).action, "ask")
    assert.strictEqual(decide("strace -f rm x", "allow", ["deny", "rm *"]).action, "deny")
  })

  it("a variable in front of a command is a part of what has to be allowed, unless it only changes how it speaks", () => {
    const git: Rule = ["allow", "git *"]
    assert.strictEqual(decide("LC_ALL=C NO_COLOR=1 git diff", "deny", git).action, "allow")
    assert.strictEqual(decide("GIT_SSH_COMMAND=evil git fetch", "deny", git).action, "deny")
    assert.strictEqual(decide("env GIT_SSH_COMMAND=evil git fetch", "deny", git).action, "deny")
    assert.strictEqual(decide("PATH=. ; git fetch", "deny", git).action, "deny")
    assert.strictEqual(decide("GIT_PAGER=cat git diff", "deny", ["allow", "GIT_PAGER=cat git *"]).action, "allow")
    assert.strictEqual(decide("A=1 rm x", "allow", ["deny", "rm *"]).action, "deny")
  })

  it("what bash reads in another way than it looks is denied with what it may be", () => {
    const input = "<<< 'rm x'"
    for (const text of [
      "echo a | xargs --max-lines rm x",
      "echo a | xargs --replace rm {}",
      "echo rm | xargs --replace=Q env Q x",
      "echo rm | xargs -I A -I B env B x",
      `flock ${"-w 1 ".repeat(40)}. rm x`,
      "choom -n 0 rm x",
      "sg root 'rm x'",
      "/lib64/ld-linux-x86-64.so.2 /bin/rm x",
      "echo rm x | script -q /dev/null",
      "echo rm x | linux64",
      "bash -ooc errexit pipefail 'rm x'",
      "bash +c 'rm x'",
      "eval -- rm x",
      "env =x rm x",
      "env ./a=b rm x",
      "echo rm x | bash //dev/stdin",
      "echo rm x | source ../../../dev/stdin",
      `env BASH_ENV=/dev/stdin bash -c true ${input}`,
      "env 'BASH_FUNC_true%%=() { rm x; }' bash -c true",
      `x=/dev/stdin; export BASH_ENV=$x; bash -c true ${input}`,
      `set -a; : \${BASH_ENV:=/dev/stdin}; bash -c true ${input}`,
      `set -a; for BASH_ENV in /dev/stdin; do bash -c true ${input}; done`,
      `set -k; bash -c true BASH_ENV=/dev/stdin ${input}`,
      `bash -o keyword -c 'bash -c true BASH_ENV=/dev/stdin' ${input}`,
      "set -o history -o histexpand\necho rm x\n!!:1 x",
      "for PS4 in '$(rm x)'; do set -x; true; done",
      "RANDOM='a[$(rm x)]'",
      "y='a[$(rm x)]'; SRANDOM=y",
      "read SRANDOM <<< 'a[$(rm x)]'",
      "y='a[$(rm x)]'; OPTIND=y",
      "y='a[$(rm x)]'; for OPTIND in y; do true; done",
      "y='a[$(rm x)]'; exec {z[y]}>x",
      "y='a[$(rm x)]'; read 'z[y]' <<< x",
      "y='a[$(rm x)]'; printf -v 'z[y]' x",
      "y='a[$(rm x)]'; printf -v\"$y\" x",
      "echo >&'$(rm x)'",
      "echo 1>&'`rm x`'",
      "exec >&'z[$(rm x)]'",
      "y='$(rm x)'; echo >&\"$y\"",
      "declare -a z='($(rm x))'",
      "declare -a 'z=($(rm x))'",
      "declare -A z='([y]=$(rm x))'",
      "z=(); declare z='($(rm x))'",
      "y='($(rm x))'; z=(); declare z=$y",
      "f() { local -a z; local z='($(rm x))'; }; f",
      "export -a z='($(rm x))'",
      "y=-a; readonly $y z='($(rm x))'",
      "z=($(rm x))-v",
      "declare z=($(rm x))-v",
      "bash rm x",
      "bash -- rm x",
      "bash -x ./rm x",
      ". ./rm x",
      "source rm x",
      "BASH_CMDS=(z /bin/rm); z x",
      "printf -v 'BASH_CMDS[z]' /bin/rm; z x",
      "f() { find . -maxdepth 0 -exe$1 rm x ';'; }; f c",
      "x=-x; jobs $x rm x",
      "$'\\x{72}m' x"
    ]) {
      assert.strictEqual(decide(text, "allow", ["deny", "rm *"]).action, "deny", text)
    }
    for (const text of [
      "set -euo pipefail; ls",
      "for f in a b; do ls $f; done",
      "bash ./dev/setup.sh",
      "OPTIND=1; ls",
      "export z=$y w='a (b)'; readonly v=$(pwd)",
      "echo \"\\$(z) \\`y\\`\" \\$z '`$(' \"${z:-'a'}\" a$",
      "ls >&out.txt 2>&1"
    ]) {
      assert.strictEqual(decide(text, "allow", ["deny", "rm *"]).action, "allow", text)
    }
    const git: Rule = ["allow", "git *"]
    for (const text of ["for PATH in .; do git log; done", "exec {PATH}>/dev/null; git log", "git log ${PATH:=.}"]) {
      assert.strictEqual(decide(text, "deny", git, ["allow", "exec"]).action, "deny", text)
    }
  })

  it("what is too deep or too much to be looked at may be anything", () => {
    for (const text of [
      `${"env ".repeat(7_000)}ls`,
      "find . -exec ".repeat(2_000),
      `${"exec ".repeat(20)}ls`,
      `flock ${`${"a".repeat(495)} `.repeat(62)}`
    ]) {
      assert.strictEqual(decide(text, "allow", ["deny", "rm *"]).action, "deny", text.slice(0, 40))
    }
    assert.strictEqual(decide(`echo ${"a".repeat(30_000)}`, "allow", ["deny", "rm *"]).action, "allow")
  })

  it("a file that a command opens in another directory has no certain place", () => {
    for (const text of ["env -C d bash -c 'id >x'", "find d -execdir bash -c 'id >x' ';'"]) {
      assert.deepStrictEqual(
        shellSubjects(text, parseShell).files,
        [{ access: "write", path: ["x"], isPlaced: false }],
        text
      )
    }
  })

  it("a rule may be about the text as it is written", () => {
    assert.strictEqual(decide("curl x | sh y", "allow", ["deny", "*curl*| sh*"]).action, "deny")
    assert.strictEqual(decide("make && ./x", "deny", ["allow", "make && ./x"]).action, "allow")
    assert.strictEqual(decide("make && ./x", "deny", ["deny", "make*"], ["allow", "make && ./x"]).action, "deny")
    assert.strictEqual(decide("make &&  ./x", "deny", ["allow", "make && ./x"]).action, "deny")
  })

  it("files that the shell opens are named, streams are not", () => {
    const files = (command: string) => shellSubjects(command, parseShell).files
    assert.deepStrictEqual(files("cat <in >>out 2>&1 3>/dev/null"), [
      { access: "read", path: ["in"], isPlaced: true },
      { access: "write", path: ["out"], isPlaced: true }
    ])
    assert.deepStrictEqual(files("cd d; bash -c 'id >$x/y'"), [
      { access: "write", path: [null, "/y"], isPlaced: false }
    ])
    assert.deepStrictEqual(files("ls >&'~/x'"), [{ access: "write", path: [null], isPlaced: false }])
    assert.deepStrictEqual(files("ls >&all.txt"), [{ access: "write", path: ["all.txt"], isPlaced: true }])
  })
})
