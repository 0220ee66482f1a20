/** Ways to write one command so that bash runs it and a reader of the text may not see it. From a seed. */

export interface Rng {
  /** 0 ≤ n < bound. */
  readonly below: (bound: number) => number
}

export const rng = (seed: number): Rng => {
  let state = (seed * 2_654_435_761 + 97) >>> 0
  return {
    below: (bound) => {
      state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 0x9e37_79b9) >>> 0
      state ^= state >>> 13
      return (state >>> 0) % bound
    }
  }
}

const pick = <A>(random: Rng, from: ReadonlyArray<A>): A => from[random.below(from.length)] as A

const hex = (char: string, base: number, width: number) => char.charCodeAt(0).toString(base).padStart(width, "0")

/** The same word for the shell. */
export const spellWord = (random: Rng, word: string): string =>
  [...word]
    .map((char) =>
      pick(random, [
        char,
        char,
        `'${char}'`,
        `"${char}"`,
        `\\${char}`,
        `$'\\x${hex(char, 16, 2)}'`,
        `$'\\${hex(char, 8, 3)}'`,
        `$'\\u${hex(char, 16, 4)}'`,
        `${char}''`,
        `""${char}`,
        `\\\n${char}`,
        `$"${char}"`,
        `\${none:-${char}}`,
        `$(echo ${char})`,
        `\`echo ${char}\``,
        `$'${char}'`
      ])
    )
    .join("")

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`
const backticks = (text: string) => `\`${text.replace(/[\\`$]/g, "\\$&")}\``

/** `bin` holds the programs. Each context runs the command that it is given, in bash. */
export const contexts = (bin: string): ReadonlyArray<(command: string) => string> => [
  (c) => c,
  (c) => `true; ${c}`,
  (c) => `true\n${c}\n`,
  (c) => `true && ${c}`,
  (c) => `false || ${c}`,
  (c) => `true | ${c}`,
  (c) => `true |& ${c}`,
  (c) => `echo $(${c})`,
  (c) => `echo ${backticks(c)}`,
  (c) => `echo "a $(${c}) b"`,
  (c) => `echo "\${none:-$(${c})}"`,
  (c) => `echo \${none:=${backticks(c)}}`,
  (c) => `echo $((1 + $(${c}; echo 1)))`,
  (c) => `(${c})`,
  (c) => `{ ${c}\n}`,
  (c) => `if true; then ${c}\nfi`,
  (c) => `if ${c}\nthen true; fi`,
  (c) => `for i in 1 2; do ${c}\ndone`,
  (c) => `for ((k=0;k<1;k++)); do ${c}\ndone`,
  (c) => `for i in $(${c}); do true; done`,
  (c) => `while ${c}\nfalse; do true; done`,
  (c) => `until ${c}\ntrue; do true; done`,
  (c) => `case a in b) true;; a) ${c}\n;; esac`,
  (c) => `case $(${c}) in *) true;; esac`,
  (c) => `f() { ${c}\n}; f`,
  (c) => `function g { ${c}\n}\ng`,
  (c) => `! ${c}`,
  (c) => `time ${c}`,
  (c) => `time -p ${c}`,
  (c) => `${c} & wait`,
  (c) => `# nothing to see; really\n${c}`,
  (c) => `echo '#' # ' "\n${c}`,
  (c) => `cat <<E\n$(${c})\nE`,
  (c) => `cat <<-"E" && ${c}\n\tit's text\n\tE`,
  (c) => `cat <<< "$(${c})"`,
  (c) => `cat <(${c})`,
  (c) => `x=$(${c})`,
  (c) => `x=(1 $(${c}))`,
  (c) => `export x=${backticks(c)}`,
  (c) => `[[ -n $(${c}) ]]`,
  (c) => `[[ a == b || -z $(${c}) ]]`,
  (c) => `[ -z "$(${c})" ]`,
  (c) => `coproc { ${c}\n}; wait`,
  (c) => `eval ${quoted(c)}`,
  (c) => `eval "eval ${quoted(c).replace(/[\\"$`]/g, "\\$&")}"`,
  (c) => `trap ${quoted(c)} EXIT`,
  (c) => `bash -c ${quoted(c)}`,
  (c) => `${bin}/bash -c ${quoted(c)}`,
  (c) => `bash -euc ${quoted(c)} a b`,
  (c) => `bash -eo pipefail -c ${quoted(c)}`,
  (c) => `env bash -c ${quoted(c)}`,
  (c) => `env A=1 B=2 bash -c ${quoted(c)}`,
  (c) => `timeout 5 bash -c ${quoted(c)}`,
  (c) => `nice -n 1 nohup bash -c ${quoted(c)}`,
  (c) => `echo x | xargs bash -c ${quoted(c)}`,
  (c) => `echo x | xargs -I Q bash -c ${quoted(c)}`,
  (c) => `find . -maxdepth 0 -exec bash -c ${quoted(c)} \\;`,
  (c) => `echo ${quoted(c)} | bash`,
  (c) => `bash <<'E'\n${c}\nE`,
  (c) => `bash <<< ${quoted(c)}`,
  (c) => `bash <(echo ${quoted(c)})`,
  (c) => `. <(echo ${quoted(c)})`,
  (c) => `source /dev/stdin <<'E'\n${c}\nE`,
  (c) => `a=${quoted(c)}; eval "$a"`,
  (c) => `a=${quoted(c)}; bash -c "$a"`,
  (c) => `x='a[$(${c.replaceAll("'", `'\\''`)})]'; echo $((x))`,
  (c) => `x='a[$(${c.replaceAll("'", `'\\''`)})]'; ((x))`,
  (c) => `x='a[$(${c.replaceAll("'", `'\\''`)})]'; [[ x -eq 0 ]]`,
  (c) => `x='a[$(${c.replaceAll("'", `'\\''`)})]'; declare -i y=$x`,
  (c) => `x='a[$(${c.replaceAll("'", `'\\''`)})]'; let x`,
  (c) => `x='a[$(${c.replaceAll("'", `'\\''`)})]'; echo \${!x}`,
  (c) => `x='a[$(${c.replaceAll("'", `'\\''`)})]'; echo \${a[x]}`,
  (c) => `x='a[$(${c.replaceAll("'", `'\\''`)})]'; y=abc; echo \${y:x}`,
  (c) => `x='a[$(${c.replaceAll("'", `'\\''`)})]'; a[x]=1`,
  (c) => `x='$(${c.replaceAll("'", `'\\''`)})'; echo "\${x@P}"`,
  (c) => `printf -v 'a[$(${c.replaceAll("'", `'\\''`)})]' x`,
  (c) => `read 'a[$(${c.replaceAll("'", `'\\''`)})]' <<< x`,
  (c) => `unset 'a[$(${c.replaceAll("'", `'\\''`)})]'`,
  (c) => `test -v 'a[$(${c.replaceAll("'", `'\\''`)})]'`,
  (c) => `PS4='$(${c.replaceAll("'", `'\\''`)})'; set -x; true`,
  (c) => `mapfile -c 1 -C ${quoted(`${c} #`)} <<< x`,
  (c) => `compgen -W ${quoted(`$(${c})`)}`,
  (c) => `shopt -s expand_aliases; alias z=${quoted(c)}\nz`,
  (c) => `BASH_ENV=<(echo ${quoted(c)}) bash -c true`
]

/** Contexts of a simple command: they go in front of it, or take its name. */
export const fronts = (bin: string): ReadonlyArray<(random: Rng, name: string, args: string) => string> => [
  (random, name, args) => `${spellWord(random, name)} ${args}`,
  (random, name, args) => `${spellWord(random, name)} ${args}`,
  (random, name, args) => `${bin}/${spellWord(random, name)} ${args}`,
  (_, name, args) => `${bin}/${name.slice(0, -1)}? ${args}`,
  (_, name, args) => `a=${name}; $a ${args}`,
  (_, name, args) => `a='${name} ${args}'; $a`,
  (_, name, args) => `$(echo ${name}) ${args}`,
  (_, name, args) => `{${name},${args}}`,
  (random, name, args) => `A=1 ${spellWord(random, name)} ${args}`,
  (_, name, args) => `A=1 B=$(echo 2) ${name} ${args}`,
  (random, name, args) => `>/dev/null ${spellWord(random, name)} ${args}`,
  (_, name, args) => `2>&1 ${name} ${args} </dev/null`,
  (random, name, args) => `command ${spellWord(random, name)} ${args}`,
  (_, name, args) => `command -- ${name} ${args}`,
  (_, name, args) => `exec -a other ${name} ${args}`,
  (random, name, args) => `exec ${spellWord(random, name)} ${args}`,
  (random, name, args) => `env ${spellWord(random, name)} ${args}`,
  (_, name, args) => `env -u X A=1 ${name} ${args}`,
  (_, name, args) => `env -S '${name} ${args}'`,
  (_, name, args) => `env --split-string='${name} ${args}'`,
  (_, name, args) => `nice ${name} ${args}`,
  (_, name, args) => `nice -5 ${name} ${args}`,
  (random, name, args) => `nohup env timeout 5 ${spellWord(random, name)} ${args}`,
  (_, name, args) => `timeout -k 1 5 ${name} ${args}`,
  (_, name, args) => `timeout --signal=KILL 5 ${name} ${args}`,
  (_, name, args) => `setsid -w ${name} ${args}`,
  (_, name, args) => `stdbuf -oL ${name} ${args}`,
  (random, name, args) => `xargs ${spellWord(random, name)} ${args} </dev/null`,
  (_, name, args) => `echo ${args} | xargs -n 1 ${name}`,
  (_, name, args) => `echo ${args} | xargs -I{} ${name} {}`,
  (_, name, args) => `echo ${name} | xargs -I{} {} ${args}`,
  (random, name, args) => `find . -maxdepth 0 -exec ${spellWord(random, name)} ${args} {} +`,
  (_, name, args) => `find . -maxdepth 0 -exec env ${name} ${args} ';'`,
  (_, name, args) => `hash -p ${bin}/${name} git; git ${args}`,
  (_, name, args) => `x=-exec; find . -maxdepth 0 $x ${name} ${args} \\;`,
  (_, name, args) => `e=env; $e ${name} ${args}`,
  (_, name, args) => `flock . ${name} ${args}`,
  (_, name, args) => `~+/../bin/${name} ${args}`
]

/** One command line that runs `name` with `args`, or tries to. */
export const spelling = (random: Rng, bin: string, name: string, args: string): string => {
  let text = pick(random, fronts(bin))(random, name, args)
  const depth = random.below(4)
  for (let i = 0; i < depth; i++) text = pick(random, contexts(bin))(text)
  return text
}
