import { describe, expect, it } from 'vitest'
import { differences, maskIds } from '../src/index.ts'

describe('inventories', () => {
  it('are the same when their data is, whatever the order of keys', () => {
    expect(differences({ a: 1, b: new Set(['x', 'y']), c: undefined }, { b: new Set(['y', 'x']), a: 1 })).toEqual([])
  })

  it('differ by path, and in words', () => {
    const want = { hosts: new Map([['h', { disks: ['a'] }]]), n: null, same: 1 }
    expect(differences(want, { hosts: new Map([['h', { disks: ['a', 'b'] }]]), n: {}, same: 1 })).toEqual([
      'hosts.h.disks.1: "b" instead of nothing',
      'n: {} instead of null',
    ])
    expect(differences([1, 2, 3], [], 2)).toEqual(['0: nothing instead of 1', '1: nothing instead of 2', '… and 1 more'])
  })

  it('with masked ids are the same for any ids, but not for another number of them', () => {
    const with2 = (a: string, b: string) =>
      maskIds({ vm: { [a.repeat(32)]: { disk: `/pool/${b.repeat(32)}.qcow2` } }, list: [b.repeat(32), 'x'] })
    expect(differences(with2('a', 'b'), with2('d', 'c'))).toEqual([])
    expect(differences(maskIds({ a: ['a'.repeat(32)] }), maskIds({ a: ['b'.repeat(32), 'c'.repeat(32)] }))).not.toEqual([])
  })
})
