import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GUARD_BYTES, guardImage, recognise } from '../src/index.ts'
import { type Bend, bend, mutations, soundQcow2 } from './qcow2-cases.ts'

const judge = (head: Uint8Array, declared: 'qcow2' | 'raw' | 'iso', fileSizeBytes = head.length) =>
  guardImage({ head, fileSizeBytes, declared })
const reasonOf = (verdict: ReturnType<typeof guardImage>) => (verdict.ok ? 'accepted' : verdict.reason)
const file = (at: number, magic: string | number[], size = 65_536) => {
  const bytes = new Uint8Array(size)
  bytes.set(typeof magic === 'string' ? [...magic].map((letter) => letter.charCodeAt(0)) : magic, at)
  return bytes
}

describe('a qcow2 image', () => {
  it('passes with its virtual size when it is sound', () => {
    expect(judge(soundQcow2(), 'qcow2')).toEqual({ ok: true, format: 'qcow2', virtualSizeBytes: 10 * 1024 * 1024 })
  })

  it.each(mutations)('is refused: $name', ({ change, reason }) => {
    expect(reasonOf(judge(bend(soundQcow2(), change), 'qcow2'))).toContain(reason)
  })

  it.each<[string, Bend]>([
    ['the dirty bit', (view) => view.setBigUint64(72, 1n)],
    ['snapshots inside the file', (view) => view.setUint32(60, 2)],
    ['unknown compatible features', (view) => view.setBigUint64(80, 0xff00n)],
    ['version 2', (view) => view.setUint32(4, 2)],
  ])('passes with %s', (_what, change) => {
    expect(judge(bend(soundQcow2(), change), 'qcow2').ok).toBe(true)
  })

  it('is refused when it is larger than allowed', () => {
    const verdict = guardImage({ head: soundQcow2(), fileSizeBytes: 262_144, declared: 'qcow2', maxVirtualSizeBytes: 1024 })
    expect(reasonOf(verdict)).toContain('virtual size')
  })

  it('is refused when cut off anywhere in its header', () => {
    for (let length = 0; length < 104; length++) expect(judge(soundQcow2().subarray(0, length), 'qcow2').ok).toBe(false)
  })
})

describe('a file declared as raw', () => {
  it('passes whatever it holds, with its size in whole sectors', () => {
    expect(judge(new Uint8Array(1000), 'raw')).toEqual({ ok: true, format: 'raw', virtualSizeBytes: 1024 })
    expect(judge(file(0, 'LUKS\xba\xbe'), 'raw').ok).toBe(true)
    expect(judge(file(32_769, 'CD001'), 'raw').ok).toBe(true)
    expect(judge(file(0, '# a comment\nno descriptor'), 'raw').ok).toBe(true)
  })

  it.each<[string, number, string | number[]]>([
    ['qcow2', 0, [0x51, 0x46, 0x49, 0xfb]],
    ['VMDK', 0, 'KDMV'],
    ['VMDK', 0, 'COWD'],
    ['VMDK', 0, '# Disk DescriptorFile\nversion=1\n'],
    ['VMDK', 0, '# innocent\n\n  \n# more\nversion=1\nextent'],
    ['VMDK', 0, 'version=3\n'],
    ['VDI', 0x40, [0x7f, 0x10, 0xda, 0xbe]],
    ['VHD', 0, 'conectix'],
    ['VHDX', 0, 'vhdxfile'],
    ['QED', 0, 'QED\0'],
    ['Parallels', 0, 'WithoutFreeSpace'],
    ['Bochs', 0, 'Bochs Virtual HD Image'],
    ['cloop', 0, '#!/bin/sh\n#V2.0 Format\nmodprobe cloop'],
  ])('is refused when it begins like %s (at %d)', (format, at, magic) => {
    expect(reasonOf(judge(file(at, magic), 'raw'))).toBe(`declared as raw, but it begins like ${format}`)
    expect(reasonOf(judge(file(at, magic), 'iso'))).toBe(`declared as iso, but it begins like ${format}`)
  })

  it('is refused when it is empty, or when its beginning wasn’t read', () => {
    expect(reasonOf(judge(new Uint8Array(), 'raw'))).toBe('the file is empty')
    expect(reasonOf(judge(new Uint8Array(512), 'raw', 1024))).toContain('could not be read')
    expect(judge(new Uint8Array(GUARD_BYTES), 'raw', GUARD_BYTES * 10).ok).toBe(true)
  })
})

describe('a file declared as iso', () => {
  it('needs its descriptor', () => {
    expect(judge(file(32_769, 'CD001'), 'iso')).toEqual({ ok: true, format: 'iso', virtualSizeBytes: 65_536 })
    expect(reasonOf(judge(new Uint8Array(65_536), 'iso'))).toContain('no ISO 9660 descriptor')
    expect(reasonOf(judge(new Uint8Array(10), 'iso'))).toContain('no ISO 9660 descriptor')
  })
})

it('says what a wrongly declared file looks like', () => {
  expect(recognise(soundQcow2())).toBe('qcow2')
  expect(recognise(file(32_769, 'CD001'))).toBe('iso')
  expect(recognise(new Uint8Array(10))).toBeNull()
  expect(reasonOf(judge(file(0, 'KDMV'), 'qcow2'))).toBe('declared as qcow2, but it is VMDK')
})

it('never throws and never accepts a name of another file, whatever the bytes', () => {
  const patches = fc.array(fc.record({ at: fc.nat(600), byte: fc.nat(255) }), { maxLength: 12 })
  fc.assert(
    fc.property(patches, fc.constantFrom('qcow2' as const, 'raw' as const, 'iso' as const), (edits, declared) => {
      const bytes = soundQcow2()
      for (const { at, byte } of edits) bytes[at] = byte
      const verdict = judge(bytes, declared)
      const view = new DataView(bytes.buffer)
      const namesBacking = view.getBigUint64(8) !== 0n || view.getUint32(16) !== 0
      return !(verdict.ok && verdict.format === 'qcow2' && namesBacking)
    }),
    { numRuns: 500 },
  )
})
