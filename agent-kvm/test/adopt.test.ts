/** A guest that somebody made by hand becomes ours while it runs: not a thing is done to it, and its next start is by our definition. */
import { bridgeName, tapName } from '@skerry/contract'
import { domainXml } from '@skerry/libvirt'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Bench, bench, endWell, until } from './bench.ts'
import { doc, id, l2, tomb, vmSpec } from './documents.ts'

const vm = id('9')
const MINE = '/var/lib/pool/mine.raw'
const OURS = '/var/lib/pool/1.raw'
const MAC = 'fa:00:00:00:00:01'
const within = { timeoutMs: 1_000 }
const spec = { uuid: vm, name: 'mine', type: 'qemu', cpuMode: 'none', cpuCount: 1, memoryBytes: 64 * 1024 * 1024 } as const
const mine = domainXml({
  ...{ ...spec, disks: [{ file: MINE, format: 'raw', target: 'vda' }] },
  nics: [{ mac: MAC, bridge: bridgeName(l2), tap: 'sk7' }],
})
const told = { disks: [{ target: 'vda', path: MINE }], macs: [MAC] }

let b: Bench
let seq: number
beforeEach(async () => {
  b = await bench()
  seq = 1
  b.host.disk.put(MINE, new Uint8Array(512))
  await b.libvirt.call('domainDefineXml', { xml: mine }, within)
})
afterEach(() => endWell(b))

const byHand = (op: 'domainCreate' | 'domainDestroy') => b.libvirt.call(op, { uuid: vm }, within)
const xmlOf = (inactive: boolean) => b.libvirt.call('domainXml', { uuid: vm, inactive }, within)
const adopt = (input = told) => b.command('vm', vm, 'adopt', input)
const release = () => b.command('vm', vm, 'release', {})
const want = (over: Partial<Parameters<typeof vmSpec>[1]> = {}) => b.sync(doc('vm', vm, ++seq, vmSpec('1', over)))
const tells = (condition: string, power: string, more: object = {}) =>
  until(() => expect(b.last(vm)).toMatchObject({ condition, generation: { seq }, observed: { power }, ...more }))
const isOutside = () => until(() => expect(b.last(vm)).toMatchObject({ condition: 'Orphaned', observed: { cause: 'outside' } }))
/** What was done to it, besides looking. */
const done = () => {
  const asked = b.libvirt.calls.filter(({ op, args }) => (args as { uuid?: string }).uuid === vm && op !== 'domainXml')
  return asked.map(({ op }) => op)
}
const defined = () => b.libvirt.calls.filter(({ op }) => op === 'domainDefineXml').length
const stopped = { state: 'Stopped', cause: 'api', mode: 'cold', graceMs: 0 } as const

async function adoptedRunning() {
  await byHand('domainCreate')
  const started = await b.start()
  await adopt()
  await want()
  await tells('Ready', 'Running', { observed: { pendingChange: true } })
  return started
}

describe('a domain that somebody made', () => {
  test('tells its disks with their sizes, its cards with their bridges, and what hinders', async () => {
    await b.start()
    await isOutside()
    const outside = () => b.last(vm)?.observed['outside']
    const nics = [{ mac: MAC, bridge: bridgeName(l2) }]
    const disks = [{ target: 'vda', path: MINE, format: 'raw', sizeBytes: 512 }]
    expect(outside()).toMatchObject({ disks, nics, hindrances: [] })
    await b.host.files.remove(MINE)
    await b.host.files.write('/var/lib/pool/no.qcow2', 'QFI')
    const other = mine.replace(MINE, '/var/lib/pool/no.qcow2').replace('type="raw"', 'type="qcow2"')
    await b.libvirt.call(
      'domainDefineXml',
      { xml: other.replace('<clock offset="utc"/>', '<clock offset="localtime"/>') },
      within,
    )
    const hindrances = ['its clock is localtime, not utc', `its disk /var/lib/pool/no.qcow2 can't be taken: it is no qcow2 file`]
    await until(() => expect(outside()).toMatchObject({ hindrances }))
  })

  test('gets our mark where it runs and where it is defined, and stays somebody else’s as long as there is no document', async () => {
    await byHand('domainCreate')
    const { agent } = await b.start()
    await isOutside()
    const before = [await xmlOf(false), await xmlOf(true)]
    await adopt()
    await adopt()
    for (const inactive of [false, true]) expect(await xmlOf(inactive)).toContain('hash="adopted"')
    await agent.reconciler.pass()
    expect(b.last(vm)).toMatchObject({ condition: 'Orphaned', observed: { cause: 'outside' } })
    expect(await release()).toEqual({ released: true })
    expect(await release()).toEqual({ released: false })
    expect([await xmlOf(false), await xmlOf(true)]).toEqual(before)
    expect(done()).toEqual(['domainCreate', 'domainSetMetadata', 'domainSetMetadata', 'domainSetMetadata'])
  })

  test('is refused when it is not any more what was told, is gone, or is ours', async () => {
    await b.start()
    await expect(adopt({ ...told, macs: [] })).rejects.toMatchObject({ code: 'conflict' })
    await expect(adopt({ ...told, disks: [] })).rejects.toMatchObject({ code: 'conflict' })
    await expect(b.command('vm', id('8'), 'adopt', told)).rejects.toMatchObject({ code: 'not-found' })
    await b.sync(doc('vm', id('1'), 1, vmSpec('2', { nics: [] })))
    await until(() => expect(b.last(id('1'))).toMatchObject({ observed: { power: 'Running' } }))
    await expect(b.command('vm', id('1'), 'adopt', { disks: [], macs: [] })).rejects.toMatchObject({ code: 'in-use' })
    expect(await b.command('vm', id('1'), 'release', {})).toEqual({ released: false })
    expect(done()).toEqual([])
  })
})

describe('one with a document', () => {
  test('runs on as it is, over restarts of the agent and renewed documents, and can’t be released any more', async () => {
    const { agent } = await adoptedRunning()
    const [live, definitions] = [await xmlOf(false), defined()]
    await want({ name: 'renamed' })
    await tells('Ready', 'Running')
    await agent.stop()
    await b.start()
    await tells('Ready', 'Running')
    await expect(release()).rejects.toMatchObject({ code: 'in-use' })
    expect([await xmlOf(false), defined()]).toEqual([live, definitions])
    expect(done()).toEqual(['domainCreate', 'domainSetMetadata'])
    expect(await b.ask('inventory', {})).toMatchObject({
      items: [{ kind: 'domain', id: vm, facts: { adopted: true, disks: [MINE] } }],
    })
  })

  test('is ours in all from its next start', async () => {
    await adoptedRunning()
    await want({ power: stopped })
    await tells('Ready', 'Stopped')
    await want({ placementEpoch: 2 })
    await tells('Ready', 'Running')
    expect(b.last(vm)?.observed).not.toHaveProperty('pendingChange')
    expect(b.domain(vm)).toMatchObject({ name: `skerry-${vm}`, state: 'running' })
    expect(await xmlOf(false)).toContain(OURS)
    expect(await xmlOf(false)).toContain(tapName(id('d1')))
  })

  test('that is off gets our definition at once, also when the agent ended between', async () => {
    const { agent } = await b.start()
    await adopt()
    await want({ power: stopped })
    await tells('Ready', 'Stopped')
    expect(b.libvirt.inventory().map(({ name }) => name)).toEqual([`skerry-${vm}`])
    await b.libvirt.call('domainUndefine', { uuid: vm }, within)
    await agent.reconciler.pass()
    expect(b.libvirt.inventory().map(({ name }) => name)).toEqual([`skerry-${vm}`])
  })

  test('gets no disk and no card while it runs as somebody else defined it, and says so', async () => {
    await adoptedRunning()
    const more = { volumeUuid: id('f'), path: '/var/lib/pool/2.raw', format: 'raw', target: 'vdb', boot: false } as const
    const { disks } = vmSpec('1')
    const refused = (differs: string[]) => ({ error: { code: 'vm-illegal-state', details: { differs } } })
    await want({ disks: [...disks, more] })
    await tells('Failed', 'Running', refused(['its disks']))
    await want({ nics: [] })
    await tells('Failed', 'Running', refused(['its cards']))
    await want({ disks: [{ ...disks[0]!, qos: { totalIops: 9 } }] })
    await tells('Failed', 'Running', refused(['how fast they may be']))
    await want({ cdrom: { path: '/x.iso', bus: 'sata' } })
    await tells('Failed', 'Running', refused(['its CD drive']))
    expect(done()).toEqual(['domainCreate', 'domainSetMetadata'])
    await want()
    await tells('Ready', 'Running')
  })

  test('goes with its tombstone, as any of ours', async () => {
    await adoptedRunning()
    await b.sync(tomb('vm', vm, ++seq))
    await until(() => expect(b.last(vm)?.condition).toBe('Gone'))
    expect(b.libvirt.inventory()).toEqual([])
    expect(b.host.disk.files.has(MINE)).toBe(true)
  })
})
