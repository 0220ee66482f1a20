/**
 * The environment that commands get: a list of what is allowed, and nothing else.
 *
 * What the pod itself needs to reach its models must not reach commands, whose output ends up in transcripts.
 */

const allowed = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "LANG",
  "LANGUAGE",
  "LC_*",
  "TZ",
  "TERM",
  "COLORTERM",
  "TMPDIR",
  "XDG_CONFIG_HOME",
  "XDG_CACHE_HOME",
  "XDG_DATA_HOME"
]

/** Not even when somebody lists them. */
const forbidden = /_API_KEY$/i

const defaultPath = "/usr/local/bin:/usr/bin:/bin"

const fits = (name: string, pattern: string): boolean =>
  pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern

/** `more` are names to let through besides; one may end in `*`. A PATH is always there. */
export const toolEnvironment = (
  environment: Readonly<Record<string, string | undefined>>,
  more: ReadonlyArray<string> = []
): Readonly<Record<string, string>> => {
  const patterns = [...allowed, ...more]
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || forbidden.test(name)) continue
    if (patterns.some((pattern) => fits(name, pattern))) kept[name] = value
  }
  if (kept.PATH === undefined || kept.PATH === "") kept.PATH = defaultPath
  return kept
}
