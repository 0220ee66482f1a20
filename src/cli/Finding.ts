/** One thing that `doctor` has looked at. */
export interface Finding {
  readonly check: string
  /** `fail`: a pod will not start, or not work. `warn`: it will, with a limit that one should know. */
  readonly level: "ok" | "warn" | "fail"
  readonly message: string
  /** What to do. */
  readonly hint?: string
}

const finding =
  (level: Finding["level"]) =>
  (check: string, message: string, hint?: string): Finding => ({
    check,
    level,
    message,
    ...(hint === undefined ? {} : { hint })
  })

export const ok = finding("ok")
export const warn = finding("warn")
export const fail = finding("fail")
