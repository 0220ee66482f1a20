/** How the arguments of shells, wrappers and builtins are read, where reading them wrong would let something through. */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import { parseShell } from "../../layers/shell/UnbashScript.ts"
import { decideCall } from "../../src/manifest/PermissionRules.ts"
import { shellSubjects } from "../../src/manifest/ShellCommands.ts"

type Action = "allow" | "deny" | "ask"

const decide = (command: string, otherwise: Action, action: Action, patterns: ReadonlyArray<string>): string => {
  const { commands } = shellSubjects(command, parseShell)
  return decideCall(
    {
      default_action: otherwise,
      rule: patterns.map((pattern) => ({ tool: "Bash", action, pattern })),
      ask_timeout: Duration.minutes(10)
    },
    {
      target: command,
      subjects: commands.map((subject) => ({ ...subject, tool: "Bash" })),
      script: { tool: "Bash", text: command }
    }
  ).action
}

type Cases = ReadonlyArray<readonly [command: string, ...patterns: ReadonlyArray<string>]>

/** Everything else is denied. */
const allowed = (cases: Cases) => {
  for (const [command, ...patterns] of cases) {
    assert.strictEqual(decide(command, "deny", "allow", patterns), "allow", command.slice(0, 80))
  }
}
const notAllowed = (cases: Cases) => {
  for (const [command, ...patterns] of cases) {
    assert.strictEqual(decide(command, "deny", "allow", patterns), "deny", command.slice(0, 80))
  }
}
/** Everything else is allowed. */
const denied = (cases: Cases) => {
  for (const [command, ...patterns] of cases) {
    assert.strictEqual(decide(command, "allow", "deny", patterns), "deny", command.slice(0, 80))
  }
}
const notDenied = (cases: Cases) => {
  for (const [command, ...patterns] of cases) {
    assert.strictEqual(decide(command, "allow", "deny", patterns), "allow", command.slice(0, 80))
  }
}

describe("a shell in a command", () => {
  it("is read as bash only where it reads the same", () => {
    denied([
      ["sh -c 'ls &>x'", "rm *"],
      ["dash -c '[[ a ]]'", "rm *"],
      ["zsh -c 'ls'", "rm *"],
      ["fish x", "rm *"],
      ["strace zsh x", "rm *"]
    ])
    notDenied([
      ["bash -c 'ls &>x'", "rm *"],
      ["sh -c 'ls >x'", "rm *"],
      ["strace ls x", "rm *"]
    ])
  })

  it("runs its text with any options, and a text that is not known is no allowed one", () => {
    denied([
      ["bash -xc 'true; rm x'", "rm *"],
      ["bash -lec 'true; rm x'", "rm *"],
      ["sh -ce 'true; rm x'", "rm *"]
    ])
    allowed([["bash -ec 'git log'", "git *"]])
    notAllowed([
      ['bash -c "$x"', "bash *"],
      ['bash -c -- "$x"', "bash *"],
      ["bash", "bash*"],
      ["git log | bash", "bash*", "git *"],
      ["bash -s x", "bash *"],
      ["bash -", "bash *"]
    ])
  })

  it("is nested only so deep", () => {
    const nested = (depth: number) => {
      let text = "git log"
      for (let i = 0; i < depth; i++) text = `eval ${text}`
      return text
    }
    allowed([[nested(8), "git *"]])
    notAllowed([[nested(9), "git *"]])
  })

  it("holds only so many commands", () => {
    const many = (count: number) => Array.from({ length: count }, () => "git log").join(";")
    allowed([[many(256), "git *"]])
    notAllowed([
      [many(257), "git *"],
      [`git log; bash -c '${many(256)}'`, "git *"]
    ])
  })
})

describe("a builtin that runs what it is given", () => {
  it("eval", () => {
    allowed([["eval git log", "git *"]])
    notAllowed([
      ['eval "$x"', "eval *", "git *"],
      ["eval git log $x", "eval *", "git *"]
    ])
  })

  it("trap, unless it only shows", () => {
    denied([
      ["trap 'true; rm x' EXIT", "rm *"],
      ["trap -- 'true; rm x' EXIT", "rm *"],
      ["trap -- '$y; rm x' EXIT", "rm *"]
    ])
    allowed([
      ["trap -p EXIT", "trap *"],
      ["trap -l", "trap *"],
      ["trap - EXIT", "trap *"],
      ["trap", "trap*"],
      ["trap 'git log' EXIT", "trap *", "git *"]
    ])
    notAllowed([
      ['trap "$x" EXIT', "trap *"],
      ['trap -- "$x" EXIT', "trap *"],
      ["trap -px EXIT", "trap *"],
      ["trap 'git log' EXIT", "trap *"]
    ])
  })

  it("source, of a file that somebody could have looked at", () => {
    allowed([["source ./env.sh", "source *"]])
    notAllowed([
      ["source -", "source *"],
      [". -p . x", ". *"],
      [". ''", ". *"],
      ['. "$x"', ". *"]
    ])
  })

  it("command, unless it only asks", () => {
    allowed([
      ["command -v rm", "command -v *"],
      ["command -pV rm", "command *"],
      ["command -p git log", "git *"]
    ])
    notDenied([["command -v rm x", "rm *"]])
    denied([
      ["command rm x", "rm *"],
      ["command -p rm x", "rm *"],
      ["command -vp rm x", "rm *"],
      ["env -v rm x", "rm *"]
    ])
    notAllowed([["command rm x", "command *"]])
  })
})

describe("the name of a command", () => {
  it("is one word that is known", () => {
    denied([
      ["'' x", "rm *"],
      ["'a b' x", "rm *"],
      ["$'a\\tb' x", "rm *"],
      ["$x y", "rm *"]
    ])
    // The text is the same as that of the program with an argument.
    notAllowed([
      ["'git log'", "git *"],
      ["'git log' x", "git *"],
      ["'git status;x'", "git *"]
    ])
  })

  it("may be any end of what a carrier is given", () => {
    denied([
      ["strace $x y", "rm *"],
      ["strace $x y", "rm"],
      ["strace -f /bin/rm x", "rm *"],
      ["bash /bin/rm x", "rm *"]
    ])
    notDenied([["strace -f ls x", "rm *"]])
  })
})

describe("find", () => {
  it("runs each of its commands, up to its end", () => {
    denied([
      ["find . -exec rm {} +", "rm *"],
      ["find . -exec ls {} + -exec rm x ';'", "rm *"],
      ["find . -exec ls ';' -exec rm x ';'", "rm *"],
      ["find . -okdir rm x ';'", "rm *"],
      // What is found may stand for any word.
      ["find . -exec env {} x ';'", "rm *"],
      ["find . -exec {} x ';'", "rm *"],
      ["find . -exec git {} ';'", "git push"]
    ])
    allowed([
      ["find . -exec git add {} + -name x", "find *", "git add …", "git add *"],
      ["find . -exec git log ';' -name x", "find *", "git log"],
      ["find . -exec git log + -name x", "find *", "git log"],
      ["A=1 find . -exec git log ';'", "A=1 find *", "git *"]
    ])
    notAllowed([
      ["find . -exec git log ';' -exec rm x ';'", "find *", "git *"],
      ["find . -exec git log + -exec rm x +", "find *", "git *"],
      ["find . -exec git {} ';'", "find *", "git {}"]
    ])
  })
})

describe("xargs", () => {
  it("puts what it reads in place of its mark, or behind the command", () => {
    denied([
      ["xargs git", "git push"],
      ["xargs -I Q git Q", "git push"],
      ["xargs -IQ git Q", "git push"],
      ["xargs -I {} git {}", "git push"],
      ["xargs -IQ env Q x", "rm *"],
      ["xargs -I Q env Q x", "rm *"],
      ["xargs -I Q Q x", "rm *"]
    ])
    notDenied([
      ["xargs -IQ git add Q", "rm *"],
      ["xargs -I Q git add {}", "git push"]
    ])
    notAllowed([
      ["xargs git", "xargs *", "git"],
      ["xargs git log", "xargs *", "git log"],
      ["xargs -I Q git Q", "xargs *", "git Q"],
      ["xargs -IQ git Q", "xargs *", "git Q "],
      ["xargs git {}", "xargs *", "git {}*"]
    ])
    allowed([
      ["xargs git add", "xargs *", "git add*"],
      ["xargs -IQ git add Q", "xargs *", "git add *"]
    ])
  })
})

describe("a variable in front of a command", () => {
  it("is needless in a rule only if it changes how a program speaks", () => {
    const names =
      "CI COLUMNS DEBUG FORCE_COLOR IFS LANG LANGUAGE LC_ALL LC_TIME LINES NODE_ENV NO_COLOR PYTHONDONTWRITEBYTECODE " +
      "PYTHONUNBUFFERED RUST_BACKTRACE RUST_LOG TERM TZ"
    for (const name of names.split(" ")) {
      allowed([
        [`${name}=x git log`, "git *"],
        [`env ${name}=x git log`, "git *"]
      ])
    }
    for (const name of [
      "PATH",
      "TERMINFO",
      "TZDIR",
      "A_CI",
      "NODE_OPTIONS",
      "LC_x",
      "LD_PRELOAD",
      "CI1",
      "PYTHONPATH"
    ]) {
      notAllowed([
        [`${name}=x git log`, "git *"],
        [`env ${name}=x git log`, "git *"]
      ])
    }
  })

  it("is one that a rule may deny, also where the command is another's", () => {
    denied([
      ["CI=1 git log", "CI=1 git *"],
      ["CI=1 A=2 git log", "CI=1 A=2 git *"],
      ["env CI=1 git log", "CI=1 git *"],
      ["CI=1 bash -c 'git log'", "CI=1 bash *"],
      ["CI=1 timeout 5 git log", "CI=1 timeout *"],
      ["CI=1 timeout 5 git log", "timeout *"]
    ])
  })
})

describe("the options of a wrapper", () => {
  it("end with two dashes, take their value glued or with an equals sign", () => {
    allowed([
      ["timeout -- 5 git log", "git *"],
      ["nohup -- git log", "git *"],
      ["timeout --signal=KILL 5 git log", "git *"],
      ["timeout -sKILL 5 git log", "git *"],
      ["timeout -s KILL 5 git log", "git *"],
      ["nice -n5 git log", "git *"],
      ["env -u X A=1 git log", "A=1 git *"]
    ])
    denied([
      ["nohup -- rm x", "rm *"],
      ["timeout --signal=KILL 5 rm x", "rm *"],
      ["timeout -sKILL 5 rm x", "rm *"]
    ])
    // It is the name of a program, and no option any more.
    notAllowed([
      ["nice -- -n 5 git log", "git *"],
      ["env -- -i git log", "git *"]
    ])
  })

  it("hide the command where they are not known", () => {
    for (const text of [
      "env -S'rm x' git log",
      "env '-Srm x' git log",
      "env --split-string='rm x' git log",
      "timeout --what=x 5 git log",
      "timeout -Z 5 git log",
      "timeout $x 5 git log",
      "env $x git log",
      "env A=1 $x git log",
      'env A=1 "$x" git log',
      "timeout $x git log",
      "timeout -- $x git log",
      "nice $x git log",
      "env ./A=1 git log",
      "env 1A=1 git log"
    ]) {
      notAllowed([[text, "git *", "env *", "timeout *", "nice *", "A=1 git *", "A=1 env *"]])
      denied([[text, "rm *"]])
    }
    // The value is missing.
    notAllowed([["env -u", "env *"]])
  })
})
