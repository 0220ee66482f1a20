import { assert, describe, it } from "vitest"
import { notPublic } from "../../src/web/Address.ts"

const refused: Readonly<Record<string, ReadonlyArray<string>>> = {
  "this machine": ["127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "::", "::1"],
  private: ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "fc00::1", "fd00:ec2::254", "fec0::1"],
  "link-local": ["169.254.169.254", "169.254.0.1", "fe80::1", "febf::1"],
  "a provider's own": ["100.64.0.1", "100.100.100.200", "100.127.255.255"],
  multicast: ["224.0.0.1", "239.255.255.255", "ff02::1"],
  broadcast: ["255.255.255.255"],
  "a cloud's own": ["168.63.129.16", "::ffff:168.63.129.16"],
  reserved: ["192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "240.0.0.1", "2001:db8::1"],
  "6to4 relay": ["2002:7f00:1::", "2002:808:808::1"],
  "Teredo relay": ["2001:0:53aa:64c:0:fbff:80ff:fffe"],
  "a local translator's": ["64:ff9b:1::8.8.8.8", "64:ff9b:1:ffff::7f00:1"]
}

describe("addresses", () => {
  for (const [kind, addresses] of Object.entries(refused)) {
    it(`refuses ${kind}: ${addresses.join(" ")}`, () => {
      for (const address of addresses) assert.strictEqual(notPublic(address), kind, address)
    })
  }

  it("refuses what an IPv6 address wraps by what is wrapped", () => {
    for (const wrap of ["::ffff:", "::ffff:0:", "64:ff9b::"]) {
      assert.strictEqual(notPublic(`${wrap}127.0.0.1`), "this machine", wrap)
      assert.strictEqual(notPublic(`${wrap}10.1.2.3`), "private", wrap)
      assert.strictEqual(notPublic(`${wrap}169.254.169.254`), "link-local", wrap)
      assert.strictEqual(notPublic(`${wrap}8.8.8.8`), undefined, wrap)
    }
  })

  it("refuses what no registry gives to anybody", () => {
    for (const address of ["::8.8.8.8", "::7f00:1", "4000::1", "100::1", "5f00::1", "not an address", ""]) {
      assert.notStrictEqual(notPublic(address), undefined, address)
    }
  })

  it("lets the public web through", () => {
    for (const address of ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "2a00:1450::1"]) {
      assert.strictEqual(notPublic(address), undefined, address)
    }
  })
})
