/**
 * What has to be allowed for a shell command to be allowed: each command in it, each file that it opens, and what its
 * commands run in turn. The rules for wrappers are in `ShellWrappers.ts`.
 *
 * What cannot be read is a subject of its own that any text may stand for, so only a rule that allows everything lets
 * it through.
 */
import type { ParseShell, ShellCommand, ShellRedirect, ShellScript, Template } from "../runtime/ShellSyntax.ts"
import { type Inner, innerOf, isCarrier, startsShell, wrapperOf } from "./ShellWrappers.ts"
import { compact, literal, shortened, written } from "./ShellWords.ts"
import { readable } from "./Wildcard.ts"

/** One thing that the rules of a tool decide. */
export interface Subject {
  /** For people: what it is. */
  readonly text: string
  /** It is allowed by a rule that covers one of these. */
  readonly written: ReadonlyArray<Template>
  /** It is denied or asked for by a rule that meets one of those or of these. */
  readonly also: ReadonlyArray<Template>
}

export interface ShellSubjects {
  readonly commands: ReadonlyArray<Subject>
  /** Paths are as they were written; a relative one is `isPlaced` if it is seen from where the command starts. */
  readonly files: ReadonlyArray<ShellRedirect & { readonly isPlaced: boolean }>
}

/** Commands in one text, and texts in one another, that are looked at. */
const maxCommands = 256
const maxDepth = 8
/** Ends of a carrier's words that are tried. */
const maxEnds = 64
/** UTF-16 units of all that is matched against the rules: they are looked at once for every rule, without a pause. */
const maxUnits = 128 * 1024

export const shellSubjects = (text: string, parse: ParseShell): ShellSubjects => {
  const found = new Finder(parse)
  found.text(text, "bash", nothingAround)
  if (found.commands.length === 0 && found.files.length === 0) found.commands.push(plain([text]))
  return { commands: found.commands, files: found.files.map((file) => ({ ...file, isPlaced: !found.moves })) }
}

const plain = (template: Template): Subject => ({ text: readable(template), written: [template], also: [] })

const unknown = (why: string): Subject => ({ text: why, written: [[null]], also: [] })

/** Variables that change only how a program speaks: set in front of a command they need not be allowed with it. */
const harmless =
  /^(?:CI|COLUMNS|DEBUG|FORCE_COLOR|IFS|LANG|LANGUAGE|LC_[A-Z]+|LINES|NODE_ENV|NO_COLOR|PYTHONDONTWRITEBYTECODE|PYTHONUNBUFFERED|RUST_BACKTRACE|RUST_LOG|TERM|TZ)$/
/** A script's own variables, by their spelling: what it does with them is not certain wherever they are used. */
const own = /[a-z]/

/** The grammars of the others are close enough for what `isPlain` lets through. */
const shells = new Set(["bash", "sh", "dash", "ash", "ksh", "mksh", "rbash"])
const otherShells = new Set(["zsh", "fish", "csh", "tcsh", "xonsh", "pwsh", "nu", "elvish"])

/** They run texts, or make a name mean something else. */
const hiding = new Set(["alias", "bind", "compgen", "complete", "enable", "fc", "hash", "let", "shopt"])
/** They take names of variables, whose subscripts bash evaluates. */
const namers = new Set(
  "[ declare export getopts local mapfile printf read readarray readonly test typeset unset wait".split(" ")
)
const moving = new Set(["cd", "chdir", "popd", "pushd"])

/** What a command is a part of: it is denied or asked for with it. */
interface Around {
  readonly depth: number
  readonly texts: ReadonlyArray<Template>
  /** Assignments that have to be allowed with the command, and all that are made for it. */
  readonly set: ReadonlyArray<Template>
  readonly all: ReadonlyArray<Template>
}

const nothingAround: Around = { depth: 0, texts: [], set: [], all: [] }

class Finder {
  readonly commands: Array<Subject> = []
  readonly files: Array<ShellRedirect> = []
  /** The directory may not be the one any more that it was. */
  moves = false
  private readonly parse: ParseShell
  private units = 0

  constructor(parse: ParseShell) {
    this.parse = parse
  }

  text(text: string, shell: string, around: Around): void {
    const script: ShellScript | string = around.depth > maxDepth ? "it is nested too deeply" : this.parse(text)
    if (typeof script === "string") return this.hide(`the command cannot be read: ${script}`)
    if (script.hides !== undefined) this.hide(script.hides)
    if (shell !== "bash" && !script.isPlain) this.hide(`${shell} may read it in another way than bash`)
    if (this.commands.length + script.commands.length > maxCommands) return this.hide("it holds too many commands")
    for (const command of script.commands) this.command(command, around)
    this.files.push(...script.redirects.filter(({ path }) => !isStream(literal(path))))
  }

  private push({ also, text, written: certain }: Subject): void {
    // Every rule goes through them: few pieces are many times as fast as one for each word.
    const found: Subject = { text, written: certain.map(compact), also: also.map(compact) }
    for (const piece of [...found.written, ...found.also].flat()) this.units += piece?.length ?? 1
    if (this.units > maxUnits) return this.hide("it is too much to be looked at")
    this.commands.push(found)
  }

  private hide(why: string): void {
    this.moves = true
    this.commands.push(unknown(why))
  }

  private command({ assignments, words }: ShellCommand, around: Around): void {
    const texts = assignments.map(({ name, value }) => ({ name, text: [`${name}=`, ...value] as Template }))
    if (words.length > 0) {
      const set = texts.filter(({ name }) => !harmless.test(name)).map(({ text }) => text)
      return this.words(words, { ...around, set, all: texts.map(({ text }) => text) })
    }
    for (const { name, text } of texts) if (!harmless.test(name) && !own.test(name)) this.commands.push(plain(text))
  }

  private words(words: ReadonlyArray<Template>, around: Around): void {
    if (this.units > maxUnits) return
    if (around.depth > 2 * maxDepth) return this.hide("it is nested too deeply")
    const given = literal(words[0] as Template)
    if (given === undefined || given === "" || /\s/.test(given)) {
      return this.hide(`the name of a command is not certain: ${readable(written(words))}`)
    }
    const name = given.slice(given.lastIndexOf("/") + 1)
    const args = words.slice(1)
    const within: Around = {
      depth: around.depth + 1,
      texts: [...around.texts, shortened([...around.all, ...words]), shortened(words)],
      set: around.set,
      all: around.all
    }
    if (moving.has(name) || movesInner(name, args)) this.moves = true
    const wrapper = asksOnly(name, args) ? undefined : wrapperOf(name)
    const isAmbiguous = name === "xargs" && args.filter((word) => literal(word)?.startsWith("-I") === true).length > 1
    const inner = wrapper === undefined || isAmbiguous ? undefined : innerOf(wrapper, args)
    if (wrapper !== undefined && inner === undefined) {
      this.hide(`what ${name} runs is not certain: ${readable(written(words))}`)
    }
    const runsText = this.hidden(name, args, within)
    const passes = given === name && (runsText || (wrapper?.kind === "passes" && (inner?.words.length ?? 0) > 0))
    if (!passes) this.push(subject(words, name, around))
    if (inner !== undefined) this.inner(inner, name === "xargs" ? replacedBy(args) : undefined, within)
  }

  /** `mark` is what is replaced by what the command gets besides, if it gets anything. */
  private inner({ assignments, words }: Inner, mark: string | undefined, around: Around): void {
    if (words.length === 0) return
    if (assignments.some((text) => evaluatedNames.test(text))) this.hide("bash acts on a variable that is set")
    const all = assignments.map((text): Template => [text])
    const set = all.filter(([text]) => !harmless.test(text?.slice(0, text.indexOf("=")) ?? ""))
    const known = mark === undefined ? words : [...words.map((word) => replaced(word, mark)), [null]]
    this.words(known, { ...around, set: [...around.set, ...set], all: [...around.all, ...all] })
  }

  /** Commands that stand in the arguments as texts, or come from somewhere else. True if they are all that it runs. */
  private hidden(name: string, args: ReadonlyArray<Template>, around: Around): boolean {
    const texts = args.map(literal)
    if (shells.has(name)) return this.shell(name, texts, around)
    if (otherShells.has(name)) this.hide(`${name} is not a shell that can be read`)
    if (name === "eval") {
      if (texts.includes(undefined)) this.hide("eval runs what is not certain")
      else this.text(texts.slice(texts[0] === "--" ? 1 : 0).join(" "), "bash", around)
      return true
    }
    if (name === "trap" && !/^-[pl]?$/.test(texts[0] ?? "x")) {
      const first = texts[0] === "--" ? texts[1] : texts[0]
      if (args.length > 0) {
        if (first === undefined) this.hide("trap runs what is not certain")
        else this.text(first, "bash", around)
      }
    }
    if (name === "find") this.find(args, around)
    if (hiding.has(name) && texts.length > 0) this.hide(`${name} can change what runs`)
    if ((name === "source" || name === ".") && (/^(?:-|$)/.test(texts[0] ?? "") || isDevice(texts[0]))) {
      this.hide(`${name} runs what is not certain`)
    }
    if (name === "set" && changesReading(texts)) this.hide("set changes how bash reads what follows")
    if (name === "jobs" && texts.some((text) => /^-\w*x/.test(text ?? "-x"))) this.hide("jobs -x runs a command")
    if (namers.has(name) && (evaluates(name, args) || setsArray(name, args)))
      this.hide(`${name} evaluates what it is given`)
    if (isCarrier(name) && texts.some((text) => text !== undefined && isShellText(text))) {
      this.hide(`${name} may hand a text to a shell`)
    }
    return false
  }

  /** True if a text that could be read is all that it runs. */
  private shell(name: string, texts: ReadonlyArray<string | undefined>, around: Around): boolean {
    let runsText = false
    let at = 0
    for (; at < texts.length; at++) {
      const word = texts[at]
      if (word === "--version" || word === "--help") return false
      if (word === "--" || word === "-") {
        at += 1
        break
      }
      if (word !== undefined && !/^[-+]/.test(word)) break
      if (/^--(?:norc|noprofile|posix|login)$/.test(word ?? "")) continue
      if (!/^[-+][abcefhilmnpruvxBCEPTo]+$/.test(word ?? "")) return this.hideShell(name)
      if (word?.includes("c") === true) runsText = true
      for (let values = word?.split("o").length ?? 1; values > 1; values--) {
        if (/^(?:histexpand|keyword)$/.test(texts[++at] ?? "keyword")) return this.hideShell(name)
      }
    }
    const word = texts[at]
    if (!runsText) {
      // A script is a program like any other, what comes in is not.
      return word === undefined || isDevice(word) ? this.hideShell(name) : false
    }
    if (word === undefined) return at < texts.length ? this.hideShell(name) : false
    this.text(word, name, around)
    return true
  }

  private hideShell(name: string): boolean {
    this.hide(`what ${name} runs is not certain`)
    return false
  }

  private find(args: ReadonlyArray<Template>, around: Around): void {
    if (args.some((word) => word.includes(null) && /^(?:-|$)/.test(word[0] ?? "")))
      this.hide("what find runs is not certain")
    for (let i = 0; i < args.length; i++) {
      if (!/^-(?:exec|execdir|ok|okdir)$/.test(literal(args[i] as Template) ?? "")) continue
      const rest = args.slice(i + 1)
      const end = rest.findIndex((word) => literal(word) === ";" || literal(word) === "+")
      const words = (end < 0 ? rest : rest.slice(0, end)).map((word) => replaced(word, "{}"))
      if (words.length > 0) this.words(words, { ...around, set: [], all: [] })
      i += words.length
    }
  }
}

/** A word that a shell would take apart, or the name of a shell. */
const isShellText = (text: string): boolean => {
  const name = text.slice(text.lastIndexOf("/") + 1)
  return shells.has(name) || otherShells.has(name) || name === "eval" || /[\s;&|<>$`"'\\(){}]/.test(text)
}

const optionsThatRun: { readonly [name: string]: RegExp } = {
  declare: /^-\w*[in]/,
  local: /^-\w*[in]/,
  mapfile: /^-\w*[Cc]/,
  readarray: /^-\w*[Cc]/,
  typeset: /^-\w*[in]/
}
const trusting = new Set(["[", "printf", "test", "wait"])

/** They may set an array that is there already; others only one that they are told to make. */
const arraySetters = new Set(["declare", "local", "typeset"])
const makesArray = (word: Template): boolean =>
  /^[-+]\w*[aA]/.test(word[0] ?? "") || (word.includes(null) && /^(?:$|[-+])/.test(word[0] ?? ""))

/** What stands in brackets is read as code, also where it was quoted. */
const setsArray = (name: string, args: ReadonlyArray<Template>): boolean =>
  (arraySetters.has(name) || ((name === "export" || name === "readonly") && args.some(makesArray))) &&
  args.some(([start, next]) => /^\w+\+?=\(/.test(start ?? "") || (/^\w+\+?=$/.test(start ?? "") && next === null))

const evaluates = (name: string, args: ReadonlyArray<Template>): boolean =>
  args.some((word, i) => {
    const text = literal(word)
    // A name that stands in front of what is not known is enough: only the name is taken for more than a text.
    if (text === undefined) {
      const before = literal(args[i - 1] ?? [])
      return trusting.has(name)
        ? before === "-v" || before === "-R" || before === "-p" || word[0]?.startsWith("-") === true
        : !/^[A-Za-z_]\w*\+?=/.test(word[0] ?? "") || evaluatedNames.test(word[0] ?? "")
    }
    if (optionsThatRun[name]?.test(text) === true || evaluatedNames.test(text)) return true
    const isName = !trusting.has(name) || literal(args[i - 1] ?? []) === "-v" || text.startsWith("-v")
    return isName ? /\w\[(?!\d*\]|[@*]\])/.test(text) : /\w\[.*[$`(]/.test(text)
  })

/** Bash runs their values, evaluates them as numbers, or lets them decide what is run. */
const evaluatedNames =
  /^(?:BASH_(?:ALIASES|CMDS|ENV)|BASH_FUNC_.*|BASHOPTS|ENV|HISTCMD|OPTIND|PROMPT_COMMAND|PS[0-4]|RANDOM|SHELLOPTS|SRANDOM)(?:[[+=]|$)/

/** Standard input and its like by any spelling: what stands there is no script that somebody could have looked at. */
const isDevice = (path: string | undefined): boolean =>
  /^\/(?:\.{0,2}\/)*(?:dev|proc)\/|(?:^|\/)\.\.\/(?:.*\/)?(?:dev|proc)\//.test(path ?? "")

/** `-k` takes arguments for assignments, `-H` replaces what begins with `!`. */
const changesReading = (texts: ReadonlyArray<string | undefined>): boolean => {
  const end = texts.findIndex((text) => text === "--" || text === "-")
  return (end < 0 ? texts : texts.slice(0, end)).some(
    (text) => text === undefined || /^-\w*[kH]/.test(text) || /^(?:-\w*o)?(?:histexpand|keyword)$/.test(text)
  )
}

/** What xargs puts its input in place of. */
const replacedBy = (args: ReadonlyArray<Template>): string => {
  const at = args.findIndex((word) => literal(word)?.startsWith("-I"))
  const text = literal(args[at] ?? []) ?? ""
  return (text === "-I" ? literal(args[at + 1] ?? []) : text.slice(2)) || "{}"
}

/** The command that it runs starts in another directory. */
const movesInner = (name: string, args: ReadonlyArray<Template>): boolean =>
  (name === "env" || name === "sudo" || name === "find") &&
  args.some((word) => /^(?:-[CDR]|--ch|-execdir$|-okdir$)/.test(literal(word) ?? ""))

/** `command -v git` looks for a program and runs none. */
const asksOnly = (name: string, args: ReadonlyArray<Template>): boolean =>
  name === "command" && /^-p?[vV]$/.test(literal(args[0] ?? []) ?? "")

const replaced = (word: Template, mark: string): Template =>
  word.flatMap(
    (piece): Template =>
      piece === null ? [null] : piece.split(mark).flatMap((part, i): Template => (i === 0 ? [part] : [null, part]))
  )

const subject = (words: ReadonlyArray<Template>, name: string, { all, set, texts }: Around): Subject => {
  const text = written([...set, ...words])
  const isNamed = literal(words[0] as Template) === name
  return {
    text: readable(text),
    written: [text],
    also: [
      shortened(words),
      ...(isNamed ? [] : [shortened([[name], ...words.slice(1)])]),
      ...(all.length === 0 ? [] : [shortened([...all, ...words])]),
      ...(isCarrier(name) || shells.has(name) || name === "." || name === "source" ? ends(words) : []),
      ...(startsShell(name) || (isCarrier(name) && words.length > maxEnds) ? [[null]] : []),
      ...texts
    ]
  }
}

/** Each of them may be where the command begins that a carrier runs. */
const ends = (words: ReadonlyArray<Template>): ReadonlyArray<Template> =>
  words.slice(1, maxEnds).flatMap((word, i): ReadonlyArray<Template> => {
    const rest = words.slice(i + 2)
    const start = literal(word)
    if (start === undefined) return [[null]]
    return [shortened([word, ...rest]), shortened([[start.slice(start.lastIndexOf("/") + 1)], ...rest])]
  })

/** Opening these changes nothing and tells nothing. */
const isStream = (path: string | undefined): boolean =>
  path !== undefined && /^\/dev\/(?:null|zero|full|tty|stdin|stdout|stderr|fd\/\d+)$/.test(path)
