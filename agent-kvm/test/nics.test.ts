/** Network cards of guests that run, on the whole agent: plugged in and taken out without a start, and told when a guest keeps one. */
import { bridgeName, type kvmDesired, tapName } from '@skerry/contract'
import { domainXml, nicXml } from '@skerry/libvirt'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { definitionHash, domainOf } from '../src/vms/definition.ts'
import { type Bench, bench, endWell, STATE, until } from './bench.ts'
import { doc, gen, id, l2, vmSpec } from './documents.ts'

const vm = id('1')
const within = { timeoutMs: 20_000 }
type Nic = kvmDesired.VmSpec['nics'][number]
const nic = (n: number): Nic => ({
  nicUuid: id(`d${n}`),
  mac: `fa:00:00:00:00:0${n}`,
  bridge: bridgeName(l2),
  tap: tapName(id(`d${n}`)),
  ip: `10.0.0.${n}`,
})

let b: Bench
let seq: number
beforeEach(async () => {
  b = await bench()
  seq = 0
  b.host.disk.put(file, new Uint8Array(512))
})
afterEach(() => endWell(b))

const file = `/var/lib/pool/${id('c')}.raw`
const spec = (nics: Nic[]) =>
  vmSpec('1', { nics, disks: [{ volumeUuid: id('c'), path: file, format: 'raw', target: 'vda', boot: true }] })
const want = (nics: Nic[]) => b.sync(doc('vm', vm, ++seq, spec(nics)))
const tells = (condition: string, more: object = {}) =>
  until(() => expect(b.last(vm)).toMatchObject({ condition, generation: gen(seq), observed: { power: 'Running' }, ...more }))
const taps = () => b.libvirt.domain(vm).nics.map(({ tap }) => tap)
const count = (op: string) => b.libvirt.calls.filter((c) => c.op === op).length
async function running(nics: Nic[]) {
  const started = await b.start()
  await want(nics)
  await tells('Ready')
  return started
}

test('a card is plugged in and taken out while the guest runs, and nothing waits for its next start', async () => {
  await running([nic(1)])
  await want([nic(1), nic(2)])
  await tells('Ready')
  expect(taps()).toEqual([nic(1).tap, nic(2).tap])
  expect(b.last(vm)?.observed).not.toHaveProperty('pendingChange')
  await want([nic(2)])
  await tells('Ready')
  expect(taps()).toEqual([nic(2).tap])
  expect(b.last(vm)?.observed).not.toHaveProperty('pendingChange')
  expect(count('domainCreate')).toBe(1)
})

test('a card that the guest keeps is waited for over a restart of the agent, asked for once, and let go in the end', async () => {
  const { agent } = await running([nic(1), nic(2)])
  const letGo = b.libvirt.guestsKeepDevices()
  await want([nic(1)])
  await tells('Working')
  await agent.stop()
  await b.start()
  await tells('Working')
  expect(count('domainDetachDevice')).toBe(1)
  letGo()
  await tells('Ready')
  expect(taps()).toEqual([nic(1).tap])
})

test('a card that is wanted again before the guest let go of it is plugged in again when it does', async () => {
  await running([nic(1), nic(2)])
  const letGo = b.libvirt.guestsKeepDevices()
  await want([nic(1)])
  await tells('Working')
  await want([nic(1), nic(2)])
  await tells('Ready')
  letGo()
  await until(() => expect(count('domainAttachDevice')).toBe(1))
  await tells('Ready')
  expect(taps()).toEqual([nic(1).tap, nic(2).tap])
})

test('the only card of a guest that lets go of it at once is plugged in again when it is wanted again', async () => {
  const { agent } = await running([nic(1)])
  await want([])
  await until(() => expect(taps()).toEqual([]))
  await want([nic(1)])
  await tells('Ready')
  await agent.reconciler.pass()
  expect(taps()).toEqual([nic(1).tap])
  // Looked at once, it is not looked at again until something happens to it.
  const looks = count('domainXml')
  await agent.reconciler.pass()
  expect(count('domainXml')).toBe(looks)
})

test('a card that somebody else has plugged in is left alone', async () => {
  const { agent } = await running([nic(1)])
  const xml = nicXml({ mac: 'fa:00:00:00:00:09', bridge: 'br9', tap: 'mine' })
  await b.libvirt.call('domainAttachDevice', { uuid: vm, xml, affect: 'live' }, within)
  await want([nic(1), nic(2)])
  await tells('Ready')
  await agent.reconciler.pass()
  expect(taps().sort()).toEqual(['mine', nic(1).tap, nic(2).tap].sort())
})

test('a guest that runs with the mark of an older version takes a card too', async () => {
  const config = { domainType: 'qemu' as const, stateDir: STATE }
  const domain = domainOf(vm, spec([nic(1)]), config)
  const mark = { uuid: vm, generation: '1.1', hash: definitionHash(domain), base: 'as an older version saw it' }
  await b.libvirt.call('domainDefineXml', { xml: domainXml({ ...domain, mark }) }, within)
  await b.libvirt.call('domainCreate', { uuid: vm }, within)
  await running([nic(1)])
  await want([nic(1), nic(2)])
  await tells('Ready')
  expect(taps()).toEqual([nic(1).tap, nic(2).tap])
  expect(b.last(vm)?.observed).not.toHaveProperty('pendingChange')
})
