/** Hosts as URLs name them, so that one host has one spelling wherever two are compared. */

/** A host and nothing else: no scheme, no port, no path, no wildcard. */
const alone = /^[^\s/?#@\\:*[\]]+$/

/** Lower case, ASCII (`xn--…`), no dot at its end; an address in its shortest form. Undefined: it is no host alone. */
export const hostName = (text: string): string | undefined => {
  const isSix = text.includes(":")
  const host = isSix ? `[${text.replace(/^\[|\]$/g, "")}]` : text
  if (!(isSix || alone.test(text)) || !URL.canParse(`http://${host}/`)) return undefined
  const url = new URL(`http://${host}/`)
  const name = bare(url)
  return url.href === `http://${url.hostname}/` && !/(?:^|\.)(?:\.|$)/.test(name) ? name : undefined
}

/** Without the brackets of IPv6, and without the dot that makes a name absolute. */
export const bare = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "")
