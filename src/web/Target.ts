/**
 * What may be asked for: the form of the URL, then every address behind its name. The same for the first request and
 * for each redirect.
 */
import * as Effect from "effect/Effect"
import { bare, hostName } from "../runtime/HostName.ts"
import type { WebClient } from "../runtime/WebClient.ts"
import { notPublic } from "./Address.ts"
import { FetchError, refused } from "./FetchError.ts"

export interface TargetPolicy {
  /** Addresses of this machine and its network too, at any port. */
  readonly privateAddresses: boolean
  /** Only these hosts and what lies below them; absent: any. */
  readonly hosts: ReadonlyArray<string> | undefined
}

export interface Target {
  readonly url: URL
  readonly addresses: ReadonlyArray<string>
}

/** What is in a URL reaches whoever is asked: a long one can carry a file away. */
const maxUrlLength = 4096
const publicPorts = new Set(["", "80", "443"])

/** For messages: a query may hold what is not for a log. */
export const shown = (url: URL): string => `${url.origin}${url.pathname}`

const isBelow = (host: string, parent: string): boolean => {
  const name = hostName(parent)
  return name !== undefined && (host === name || host.endsWith(`.${name}`))
}

export const parse = (text: string, policy: TargetPolicy, base?: URL): Effect.Effect<URL, FetchError> => {
  if (!URL.canParse(text, base)) return refused(`${text.slice(0, 200)} is not a URL`)
  const url = new URL(text, base)
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return refused(`${url.protocol.slice(0, 40)} URLs are not fetched, only http and https`)
  }
  if (url.href.length > maxUrlLength) {
    return refused(`the URL has ${url.href.length} characters; ${maxUrlLength} are allowed`)
  }
  if (url.username !== "" || url.password !== "") return refused("a URL with a user name or a password is not fetched")
  const host = bare(url)
  if (policy.hosts !== undefined && !policy.hosts.some((parent) => isBelow(host, parent))) {
    return refused(`${host} is not one of the hosts that [web.fetch] allows: ${policy.hosts.join(", ")}`)
  }
  if (policy.privateAddresses) return Effect.succeed(url)
  if (isBelow(host, "localhost")) return refused(`${host} is this machine`)
  if (!publicPorts.has(url.port)) return refused(`port ${url.port} of ${host} is not one of the web's, 80 and 443`)
  return Effect.succeed(url)
}

/** Looks the name up once. One address that is not public refuses them all: which one would be used is chance. */
export const resolve = Effect.fnUntraced(function* (
  client: WebClient["Service"],
  policy: TargetPolicy,
  url: URL
): Effect.fn.Return<Target, FetchError> {
  const host = bare(url)
  const addresses = yield* Effect.mapError(
    client.addresses(host),
    ({ message }) => new FetchError({ reason: "Failed", message })
  )
  for (const address of policy.privateAddresses ? [] : addresses) {
    const kind = notPublic(address)
    if (kind === undefined) continue
    return yield* refused(
      address === host
        ? `${host} is not of the public web (${kind})`
        : `${host} leads to ${address}, which is not of the public web (${kind})`
    )
  }
  return { url, addresses }
})
