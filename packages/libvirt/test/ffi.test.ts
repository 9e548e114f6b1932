/** The FFI libraries beneath the port: which one runs, and what each does with text, memory and callbacks. */
import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { FfiNapi } from '../src/ffi/ffi-napi.ts'
import { KoffiNative } from '../src/ffi/koffi.ts'
import { loadFfi } from '../src/ffi/load.ts'
import type { FfiName, Native } from '../src/ffi/native.ts'
import { ffiNames, type SupervisedLibvirt, type SuperviseOptions, superviseLibvirt } from '../src/index.ts'
import { libvirtInstalled } from './libvirt-installed.ts'

const within = { timeoutMs: 20_000 }

describe('the choice of the FFI library', () => {
  const fails = (why: string) => (): Native => {
    throw new Error(why)
  }
  const loads = () => ({}) as Native

  it('falls on the first that loads, and says why others were passed over', () => {
    expect(loadFfi('auto', { 'ffi-napi': loads, koffi: loads })).toMatchObject({ ffi: 'ffi-napi', passedOver: [] })
    expect(loadFfi('auto', { 'ffi-napi': fails('no addon'), koffi: loads })).toMatchObject({
      ffi: 'koffi',
      passedOver: ['ffi-napi: no addon'],
    })
  })

  it('is nobody else’s when one is asked for', () => {
    expect(loadFfi('koffi', { 'ffi-napi': loads, koffi: loads }).ffi).toBe('koffi')
    expect(() => loadFfi('ffi-napi', { 'ffi-napi': fails('no addon'), koffi: loads })).toThrow('ffi-napi: no addon')
  })

  it('names what each said when none loads', () => {
    expect(() => loadFfi('auto', { 'ffi-napi': fails('one'), koffi: fails('two') })).toThrow(/ffi-napi: one; koffi: two/)
  })
})

describe.skipIf(!libvirtInstalled()).each(ffiNames)('libvirt through %s', (ffi: FfiName) => {
  const open: SupervisedLibvirt[] = []
  const supervise = (options: Partial<SuperviseOptions> = {}) => {
    const libvirt = superviseLibvirt({ uri: 'test:///default', ffi, ...options })
    open.push(libvirt)
    return libvirt
  }
  afterEach(async () => {
    for (const libvirt of open.splice(0)) await libvirt.close()
  })

  it('runs in the backend process that was asked for, which has loaded that addon and no other', async () => {
    const libvirt = supervise()
    await libvirt.call('listDomains', {}, within)
    expect(libvirt.ffi).toBe(ffi)
    const maps = readFileSync(`/proc/${libvirt.childPid}/maps`, 'utf8')
    expect({ 'ffi-napi': maps.includes('/ffi_bindings.node'), koffi: maps.includes('/koffi.node') }).toEqual({
      'ffi-napi': ffi === 'ffi-napi',
      koffi: ffi === 'koffi',
    })
  })

  it('carries text of any alphabet and of any length there and back', async () => {
    const libvirt = supervise()
    const [domain] = await libvirt.call('listDomains', {}, within)
    const uri = 'urn:skerry:test'
    for (const text of ['Ærø 漢字 🪨', 'x'.repeat(1_000_000)]) {
      const xml = `<note>${text}</note>`
      await libvirt.call('domainSetMetadata', { uuid: domain!.uuid, uri, prefix: 'n', xml }, within)
      expect(await libvirt.call('domainGetMetadata', { uuid: domain!.uuid, uri }, within)).toContain(text)
    }
  })

  it('gives back what libvirt allocated: reading a large text hundreds of times does not keep it', async () => {
    const libvirt = supervise({ maxRssBytes: 2 ** 40 })
    const [domain] = await libvirt.call('listDomains', {}, within)
    const { uuid } = domain!
    const uri = 'urn:skerry:test'
    await libvirt.call('domainSetMetadata', { uuid, uri, prefix: 'n', xml: `<note>${'x'.repeat(500_000)}</note>` }, within)
    const read = async (times: number) => {
      for (let n = 0; n < times; n++) await libvirt.call('domainGetMetadata', { uuid, uri }, within)
    }
    const resident = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${libvirt.childPid}/status`, 'utf8'))![1]) / 1024
    await read(50)
    const before = resident()
    await read(300)
    expect(resident() - before).toBeLessThan(75) // MiB; kept texts would be 143
  }, 60_000)
})

describe.skipIf(!libvirtInstalled()).each([
  ['ffi-napi', () => new FfiNapi()],
  ['koffi', () => new KoffiNative()],
] as const)('memory through %s', (_, open) => {
  it('tells NULL from a pointer, and refuses a text that C would cut', async () => {
    const native = open()
    native.callNow('virInitialize')
    native.callNow(
      'virSetErrorFunc',
      native.nullPointer,
      native.callback('error', () => undefined),
    )
    expect((await native.call('virConnectOpen', 'test:///no/such/file')).returned).toBeNull()
    expect(native.pointerIn(Buffer.alloc(8))).toBeNull()
    expect(() => native.callNow('virConnectOpen', 'test:///\0')).toThrow('NUL')
  })
})
