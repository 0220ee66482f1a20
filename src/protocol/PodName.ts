/** What a pod may be called. The name becomes a directory and part of a socket path, so nothing else gets through. */

export const podNamePattern = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$/

/** The rule in words, for "expected …". */
export const podNameRule = "1 to 64 of the characters A-Z a-z 0-9 . _ -, not starting with a dot"

export const isPodName = (name: string): boolean => podNamePattern.test(name)

/** The nearest valid name to any text, for example to the last part of a path; `pod` if nothing is left of it. */
export const sanitisePodName = (text: string): string => {
  const name = text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .replace(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[.-]+/, "")
    .slice(0, 64)
    .replace(/[.-]+$/, "")
  return name === "" ? "pod" : name
}
