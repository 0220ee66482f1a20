/**
 * From unbash's syntax tree to what the permissions judge: every command with its words, and every file that is opened.
 *
 * What is not certain is a hole or makes the script one that hides something. Bash evaluates texts as code in more
 * places than commands: the subscripts and the names of an arithmetic expression, `${!name}`, `${name@P}`, some
 * variables. Values are not followed through a script, so each of these places hides what it may run.
 */
import { forEachChild, parse, type ParsedScript, type SyntaxNode } from "unbash"
import type { ShellCommand, ShellRedirect, ShellScript, Template } from "../../src/runtime/ShellSyntax.ts"

type Node<Type extends SyntaxNode["type"]> = Extract<SyntaxNode, { readonly type: Type }>

/** UTF-16 units of a command that are read. What is longer is a program, not a command. */
const maxLength = 32 * 1024

export const parseShell = (text: string): ShellScript | string => {
  if (text.length > maxLength) return `it is longer than ${maxLength} characters`
  if (text.includes("\0")) return "it holds a NUL character"
  try {
    return new Walk().read(parse(text))
  } catch (error) {
    return `the parser broke: ${error instanceof Error ? error.message : "unknown defect"}`
  }
}

/** What other shells than bash know as well. */
const plainTypes: ReadonlySet<SyntaxNode["type"]> = new Set<SyntaxNode["type"]>([
  ...(["Script", "Statement", "CompoundList", "Pipeline", "AndOr", "Negation", "Command", "Subshell"] as const),
  ...(["BraceGroup", "If", "Elif", "For", "While", "Case", "CaseItem", "Word", "Literal", "Glob"] as const),
  ...(["SingleQuoted", "DoubleQuoted", "SimpleExpansion", "CommandExpansion", "Assignment", "Redirect"] as const),
  ...(["FileDescriptor", "HereDoc", "HereDocDelimiter", "HereDocBody", "Redirected"] as const),
  ...(["ParameterExpansion", "Default"] as const)
])

/** Bash runs their values, or lets them decide what is run. */
const evaluated = /^(?:BASH_ALIASES|BASH_CMDS|BASH_ENV|BASH_FUNC_.*|BASHOPTS|ENV|PROMPT_COMMAND|PS[0-4]|SHELLOPTS)$/

/** Bash evaluates what they are set to as an expression. */
const numbers = new Set(["HISTCMD", "OPTIND", "RANDOM", "SRANDOM"])

const numeric = new Set(["-eq", "-ne", "-lt", "-le", "-gt", "-ge"])
const isNumber = (text: string): boolean => /^\s*-?\d+\s*$/.test(text)
const isName = (text: string): boolean => /^[A-Za-z_]\w*$/.test(text)

/** Expanding it changes nothing. */
const isSamePath = /^[\w./+,:@%=-]+$/

const codeQuoted = /`|\$[\w({[@*#?!-]/
const codeUnquoted = /`|\$[\w({[@*#?!-]|[<>]\(/
/** What a backslash stands in front of is text. */
const isCode = (text: string, code: RegExp): boolean => code.test(text.replace(/\\[^]/g, "_"))

class Walk {
  private readonly commands: Array<ShellCommand> = []
  private readonly redirects: Array<ShellRedirect> = []
  private hides: string | undefined
  private isPlain = true
  private error: string | undefined

  read(script: ParsedScript): ShellScript | string {
    this.visit(script)
    if (this.error !== undefined) return this.error
    return { commands: this.commands, redirects: this.redirects, hides: this.hides, isPlain: this.isPlain }
  }

  private readonly visit = (node: SyntaxNode): void => {
    if (!plainTypes.has(node.type)) this.isPlain = false
    switch (node.type) {
      case "Script":
        if ((node as ParsedScript).errors !== undefined) this.error ??= (node as ParsedScript).errors?.[0]?.message
        break
      case "Word":
        this.word(node)
        break
      case "Command":
        this.command(node)
        break
      case "Redirect":
        this.redirect(node)
        break
      case "Assignment":
        this.assignment(node)
        break
      case "Pipeline":
        if (node.operators.includes("|&")) this.isPlain = false
        break
      case "CommandExpansion":
      case "ProcessSubstitution":
      case "ArithmeticCommandExpansion":
        if (node.script === undefined) this.error ??= "a substitution in it cannot be read"
        break
      case "ParameterExpansion":
        this.parameter(node)
        break
      case "For":
      case "Select":
        this.sets(node.name.value)
        break
      case "ArithmeticWord":
        if (!isNumber(node.value)) this.hide("an arithmetic expression with names can run commands")
        break
      case "TestBinary":
        if (numeric.has(node.operator) && !(isNumber(node.left.value) && isNumber(node.right.value))) {
          this.hide("[[ ]] evaluates what it compares as numbers")
        }
        break
      case "TestUnary":
        if ((node.operator === "-v" || node.operator === "-R") && !isName(node.operand.value)) {
          this.hide(`[[ ${node.operator} ]] evaluates a subscript`)
        }
        break
      default:
        break
    }
    forEachChild(node, this.visit)
  }

  private command({ args, name, prefix }: Node<"Command">): void {
    const assignments = prefix.flatMap((part) =>
      part.type === "Assignment" ? [{ name: part.name, value: valueOf(part) }] : []
    )
    const words = (name === undefined ? [] : [name, ...args]).map(
      (part): Template =>
        part.type === "Word"
          ? templateOf(part)
          : joined([`${part.name}${part.append === true ? "+=" : "="}`], valueOf(part))
    )
    if (words.length > 0 || assignments.length > 0) this.commands.push({ assignments, words })
  }

  private assignment({ index, name, value }: Node<"Assignment">): void {
    if (evaluated.test(name)) this.hide(`bash acts on the value of ${name}`)
    if (numbers.has(name) && !(value.type === "Word" && isNumber(value.value))) {
      this.hide(`the value of ${name} is evaluated`)
    }
    if (index !== undefined && !isNumber(index.value)) this.hide("a subscript is evaluated")
    if (value.type !== "ArrayValue") return
    this.isPlain = false
    if (value.elements.some((element) => element.text.startsWith("["))) this.hide("a subscript is evaluated")
  }

  /** What the parser takes for plain text must look like that. It does not look into all that bash looks into. */
  private word({ parts, text }: Node<"Word">): void {
    const isDeep =
      parts === undefined
        ? isCode(text, codeUnquoted)
        : parts.some((part) =>
            part.type === "Literal"
              ? isCode(part.text, codeUnquoted)
              : part.type === "DoubleQuoted" &&
                part.parts.some((child) => child.type === "Literal" && isCode(child.text, codeQuoted))
          )
    if (isDeep) this.hide("a part of it cannot be read")
  }

  /** Something else than an assignment gives it a value. */
  private sets(name: string): void {
    if (evaluated.test(name) || numbers.has(name)) this.hide(`bash acts on the value of ${name}`)
    if (!isName(name)) this.hide("a subscript is evaluated")
    this.commands.push({ assignments: [{ name, value: [null] }], words: [] })
  }

  private parameter({ index, operation, parameter, prefix }: Node<"ParameterExpansion">): void {
    if (operation !== undefined) this.isPlain = this.isPlain && operation.type === "Default"
    if (operation?.type === "Default" && operation.operator.endsWith("=")) this.sets(parameter)
    if (prefix === "!") this.hide("${!name} takes a name from a value")
    if (index !== undefined && !(isNumber(index.value) || index.value === "@" || index.value === "*")) {
      this.hide("a subscript is evaluated")
    }
    if (operation?.type === "Transform" || operation?.type === "Unknown") this.hide("${name@…} can run commands")
    if (operation?.type !== "Slice") return
    if (!(isNumber(operation.offset.value) && isNumber(operation.length?.value ?? "0"))) {
      this.hide("the bounds of a slice are evaluated")
    }
  }

  private redirect({ descriptor, operator, target }: Node<"Redirect">): void {
    if (operator === "&>" || operator === "&>>" || descriptor?.type === "FileDescriptorVariable") this.isPlain = false
    if (descriptor?.type === "FileDescriptorVariable") this.sets(descriptor.name)
    if (target === undefined) return
    const path = templateOf(target)
    const known = path.length === 1 ? path[0] : undefined
    if ((operator === ">&" || operator === "<&") && /^(?:\d+-?|-)$/.test(known ?? "")) return
    if (operator === ">&") this.isPlain = false
    // Bash expands this word a second time, without its quotes.
    if (operator === ">&" && !isSamePath.test(known ?? "")) {
      this.hide("the word behind >& is evaluated")
      this.redirects.push({ access: "write", path: [null] })
      return
    }
    if (operator === "<" || operator === "<>" || operator === "<&") this.redirects.push({ access: "read", path })
    if (operator !== "<" && operator !== "<&") this.redirects.push({ access: "write", path })
  }

  private hide(why: string): void {
    this.hides ??= why
  }
}

const valueOf = ({ value }: Node<"Assignment">): Template => (value.type === "Word" ? templateOf(value) : [null])

const templateOf = (word: Node<"Word">): Template => {
  if (word.parts === undefined) return joined(unquoted(word.value, true))
  let isFirst = true
  const pieces = word.parts.map((part): Template => {
    const starts = isFirst
    isFirst = false
    switch (part.type) {
      case "Literal":
        return unquoted(part.value, starts)
      case "SingleQuoted":
        return [part.value]
      case "AnsiCQuoted":
        // The parser and bash differ about these.
        return [/\\(?:c|x\{)/.test(part.text) ? null : part.value]
      case "DoubleQuoted":
        return part.parts.map((child) => (child.type === "Literal" ? child.value : null))
      default:
        return [null]
    }
  })
  return joined(...pieces)
}

/** Where a tilde may stand for a directory, it does. */
const unquoted = (text: string, starts: boolean): Template => {
  const pieces = text.split(starts ? /(?<=^|[=:])~[^/:]*/ : /(?<=[=:])~[^/:]*/)
  return pieces.flatMap((piece, i) => (i === 0 ? [piece] : [null, piece]))
}

/** One template; what is known stands in one piece, and a hole beside another is one with it. */
const joined = (...parts: ReadonlyArray<Template>): Template => {
  const out: Array<string | null> = []
  for (const piece of parts.flat()) {
    const last = out.at(-1)
    if (piece === "" || (piece === null && last === null)) continue
    if (typeof last === "string" && piece !== null) out[out.length - 1] = last + piece
    else out.push(piece)
  }
  return out.length === 0 ? [""] : out
}
