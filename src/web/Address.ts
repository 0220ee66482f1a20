/**
 * Which addresses are the public web's. Everything else belongs to this machine, to the network that it stands in, or to
 * nobody: an agent that could reach it could speak to services that trust whoever is near.
 *
 * The registries of special addresses (RFC 6890 and what followed) are the address library's. What is judged is where a
 * packet ends: an IPv4 address that is wrapped in an IPv6 one is taken out first.
 */
import ipaddr from "ipaddr.js"

/** Served to virtual machines of one cloud by their host; in no registry of special addresses. */
const hostOfMachines = "168.63.129.16"

/** IPv6 forms that a translator turns into the IPv4 address in their last 32 bits (RFC 4291, 6052, 6145). */
const wrapping = new Set(["ipv4Mapped", "rfc6145", "rfc6052"])
const locallyTranslated = ipaddr.IPv6.parseCIDR("64:ff9b:1::/48")
const globalUnicast = ipaddr.IPv6.parseCIDR("2000::/3")

/** What kind of address it is that may not be spoken to; nothing if it is one of the public web. */
export const notPublic = (address: string): string | undefined => {
  const literal = address.includes(":") ? canonical6(address) : address
  if (literal === undefined || !ipaddr.isValid(literal)) return "not an address"
  const parsed = ipaddr.parse(literal)
  return parsed instanceof ipaddr.IPv4 ? notPublic4(parsed) : notPublic6(parsed as ipaddr.IPv6)
}

/** The library takes `::1.2.3.4` for a mapped address, which it is not; without the dots it does not. */
const canonical6 = (address: string): string | undefined =>
  URL.canParse(`http://[${address}]`) ? new URL(`http://[${address}]`).hostname.slice(1, -1) : undefined

const notPublic4 = (address: ipaddr.IPv4): string | undefined => {
  if (address.toString() === hostOfMachines) return "a cloud's own"
  const range = address.range()
  return range === "unicast" ? undefined : (names[range] ?? range)
}

const notPublic6 = (address: ipaddr.IPv6): string | undefined => {
  const range = address.range()
  if (wrapping.has(range) && !address.match(locallyTranslated)) {
    return notPublic4(new ipaddr.IPv4(address.toByteArray().slice(12)))
  }
  if (range !== "unicast") return names[range] ?? range
  return address.match(globalUnicast) ? undefined : "reserved"
}

const names: Readonly<Record<string, string>> = {
  unspecified: "this machine",
  loopback: "this machine",
  broadcast: "broadcast",
  multicast: "multicast",
  linkLocal: "link-local",
  carrierGradeNat: "a provider's own",
  private: "private",
  uniqueLocal: "private",
  deprecatedSiteLocal: "private",
  rfc6052: "a local translator's",
  "6to4": "6to4 relay",
  teredo: "Teredo relay"
}
