/** Addresses of both families as numbers, against what Node says of the same text. */
import { BlockList, isIPv6 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { selfMade } from '../src/place/address6.ts'
import { canonicalIp, compareIps, ipToNumber, isInCidr, networkAddress, numberToIp, prefixMask, within } from '../src/place/ip.ts'

describe('addresses', () => {
  it.each([
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['fd00::', 'fd00::'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['10.0.0.1', '10.0.0.1'],
  ])('%s is recorded as %s', (text, canonical) => {
    expect(canonicalIp(text)).toBe(canonical)
  })

  it('have one spelling each, which is read back as the same number', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 128n - 1n), (n) => {
        const text = numberToIp(n, 6)
        return isIPv6(text) && ipToNumber(text) === n && canonicalIp(text) === text
      }),
    )
  })

  it('are in a network exactly where Node says so', () => {
    fc.assert(
      fc.property(
        fc.bigInt(0n, 2n ** 128n - 1n),
        fc.bigInt(0n, 2n ** 128n - 1n),
        fc.integer({ min: 1, max: 128 }),
        (a, b, length) => {
          const near = (a & prefixMask(length, 6)) | (b & ~prefixMask(length, 6) & (2n ** 128n - 1n))
          const list = new BlockList()
          list.addSubnet(networkAddress(numberToIp(a, 6), length), length, 'ipv6')
          for (const ip of [numberToIp(near, 6), numberToIp(b, 6)])
            expect(isInCidr(ip, `${numberToIp(a, 6)}/${length}`)).toBe(list.check(ip, 'ipv6'))
        },
      ),
    )
  })

  it('are compared as numbers, and never lie between two of the other family', () => {
    expect(compareIps('10.0.0.9', '10.0.0.10')).toBe(-1)
    expect(compareIps('fd00::a', 'fd00::9')).toBe(1)
    expect(within('fd00::5', { startIp: 'fd00::1', endIp: 'fd00::9' })).toBe(true)
    expect(within('10.0.0.5', { startIp: '::', endIp: 'ffff::' })).toBe(false)
  })

  it('are made of prefix and MAC as RFC 4291 says', () => {
    expect(selfMade('2001:db8::/64', '34:56:78:9a:bc:de')).toBe('2001:db8::3656:78ff:fe9a:bcde')
  })
})
