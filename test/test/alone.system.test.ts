/** Agents alone: without NATS, without a controller, after a boot, without their own memory; with real guests. */
import { rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type AgentKind, bridgeName, type Document, type Row, type SkerryError, subjects } from '@skerry/contract'
import { realHost } from '@skerry/host'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { typed } from '../harness/console.ts'
import { marked, oldBootId, powerCut, startHypervisor } from '../harness/dead-host.ts'
import { type Demo, guestImage, makeDemo, removeDemo } from '../harness/demo.ts'
import { answers, httpFromRouter, outside, uptime } from '../harness/guest.ts'
import { dnsmasqPid, leaseEnd, resolved } from '../harness/router.ts'
import { sleep, startSite, type TestSite, until } from '../harness/site.ts'

const GATEWAY = '10.0.137.1'
const KINDS: readonly AgentKind[] = ['kvm', 'storage', 'vrouter']

interface Vm {
  uuid: string
  ip: string
  nic: string
}
let site: TestSite
let demo: Demo
let beyond: Awaited<ReturnType<typeof outside>>
/** runs throughout; its neighbour is stopped by its user and stays so */
let guest: Vm
let neighbour: Vm
let spare: Vm

beforeAll(async () => {
  site = await startSite()
  demo = await makeDemo(site)
  beyond = await outside('skalone', '198.51.101')
  const made = await Promise.all(['alone', 'neighbour', 'spare'].map(makeVm))
  ;[guest, neighbour, spare] = made as [Vm, Vm, Vm]
  await site.call('StopVmInstance', { uuid: neighbour.uuid, type: 'cold' })
  await answers(demo.l3, guest.ip)
  await answers(demo.l3, spare.ip)
})
afterAll(async () => {
  try {
    if (demo) await removeDemo(site, demo)
  } finally {
    await site?.stop()
    await beyond?.stop()
    await oldBootId()
  }
  expect(await marked()).toEqual([])
})

async function makeVm(name: string): Promise<Vm> {
  const inventory = await site.call('CreateVmInstance', { name, ...demo.vmParams })
  const nic = (inventory['vmNics'] as Row[])[0]!
  return { uuid: inventory['uuid'] as string, ip: nic['ip'] as string, nic: nic['uuid'] as string }
}
const stateOf = async (vm: Vm) => (await site.client.get('vm', vm.uuid))['state']
const agents = async () => {
  const { inventories } = (await site.client.query('agent')) as { inventories: Row[] }
  return inventories.sort((a, b) => String(a['kind']).localeCompare(String(b['kind'])))
}
const agentsAre = (status: string) =>
  until(`agents that are ${status}`, 160_000, async () => (await agents()).every((a) => a['status'] === status))
const vmIs = (vm: Vm, state: string) => until(`a VM that is ${state}`, 160_000, async () => (await stateOf(vm)) === state)
const clean = () =>
  until('an audit without differences', 60_000, async () => {
    const { differences } = await site.client.auditHosts()
    if (differences.length > 0) throw new Error(JSON.stringify(differences, null, 1))
    return true
  })
const pids = async () => ({ qemu: await site.libvirtd.qemuPids(), dnsmasq: await dnsmasqPid(demo.l3) })
const outward = (vm: Vm) => httpFromRouter(demo.l3, vm.ip, `/cgi-bin/get?${beyond.address}:80`)
const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => 'done',
    (error: SkerryError) => error.code,
  )

/** Documents that the controller sends from now on, as `noun/uuid`; `end` gives them. */
async function sent(): Promise<{ documents: string[]; end(): Promise<void> }> {
  const ear = await site.nats.connect('controller')
  const documents: string[] = []
  ear.subscribe(subjects.do('*' as AgentKind, '*', 'agent', '*', 'sync'), (m) => {
    for (const { noun, uuid } of (m.data as { documents: Document[] }).documents) documents.push(`${noun}/${uuid}`)
  })
  await ear.flush()
  return { documents, end: () => ear.close() }
}

describe('without NATS for half a minute', () => {
  it('guests, DHCP, DNS and NAT go on; agents come back, and only differences travel', async () => {
    await clean()
    const before = await pids()
    const [up, lease] = [await uptime(demo.l3, guest.ip), await leaseEnd(site, demo.l3, guest.ip)]
    await typed(site, guest.uuid, '(sleep 10; killall -USR1 udhcpc) &\n', '') // asks for a renewal of its lease in the outage
    await site.nats.kill()
    const end = Date.now() + 30_000
    const refused = codeOf(site.call('AddDnsToL3Network', { l3NetworkUuid: demo.l3, dns: '192.0.2.53' }))
    const stopped = codeOf(site.call('StopVmInstance', { uuid: spare.uuid }))
    await agentsAre('Disconnected')
    expect(Date.now()).toBeLessThan(end)
    await vmIs(guest, 'Unknown')
    expect(await refused).toBe('agent-unreachable')
    expect(await stopped).toBe('agent-unreachable')

    // A controller and an agent that begin without NATS: the one serves reads, the other looks after its router.
    for (const program of ['controller', 'agent-vrouter'] as const) await site.kill(program)
    for (const program of ['controller', 'agent-vrouter'] as const) await site.start(program)
    expect((await site.client.get('vm', guest.uuid))['name']).toBe('alone')
    const renamed = await site.call('UpdateVmInstance', { uuid: neighbour.uuid, name: 'renamed' })
    expect(renamed['name']).toBe('renamed')
    while (Date.now() < end) {
      expect(await httpFromRouter(demo.l3, guest.ip)).toContain('alone')
      expect(await outward(guest)).toContain('outside sees 198.51.101.1')
      expect(await resolved(demo.l3, GATEWAY, 'spare.site.test')).toEqual([spare.ip])
      await sleep(500)
    }
    expect(await leaseEnd(site, demo.l3, guest.ip)).toBeGreaterThan(lease)

    await site.nats.restart()
    const heard = await sent()
    await agentsAre('Connected')
    await vmIs(guest, 'Running')
    await clean()
    await heard.end()
    // The server and the stop that were undone, and the rename, which is in DNS too; what nobody touched is not sent.
    const changed = [`router/${demo.l3}`, `vm/${spare.uuid}`, `vm/${neighbour.uuid}`, `lease/${neighbour.nic}`]
    expect(changed).toEqual(expect.arrayContaining([...new Set(heard.documents)]))
    expect(await resolved(demo.l3, GATEWAY, 'renamed.site.test')).toEqual([neighbour.ip])
    expect(heard.documents).toContain(`vm/${neighbour.uuid}`)
    expect(heard.documents.filter((d) => d.startsWith('vm/')).length).toBeLessThanOrEqual(2)
    expect(await pids()).toEqual(before)
    expect(await uptime(demo.l3, guest.ip)).toBeGreaterThan(up + 29)
  })
})

describe('a bridge that somebody removed under its guests', () => {
  it('is made again, with the guests and the router plugged in', async () => {
    const before = await pids()
    await realHost().ip.at().links.del(bridgeName(demo.l2))
    expect(await answers(demo.l3, guest.ip)).toContain('alone')
    expect(await outward(spare)).toContain('outside sees')
    await clean()
    expect((await pids()).qemu).toEqual(before.qemu)
  })
})

describe('a host that booted, without controller and NATS', () => {
  it('brings its networks, its router and what ran back from the ledgers, whoever comes first', async () => {
    await powerCut(site)
    expect(await marked()).toEqual([])
    await site.start('agent-kvm') // before libvirtd is there
    await sleep(3_000)
    await startHypervisor(site)
    await site.start('agent-vrouter')
    await site.start('agent-storage')
    expect(await answers(demo.l3, guest.ip)).toContain('alone')
    expect(await outward(guest)).toContain('outside sees 198.51.101.1')
    expect(await answers(demo.l3, spare.ip)).toContain('spare')
    const running = Object.keys(await site.libvirtd.qemuPids())
    expect(running.filter((name) => name.includes(neighbour.uuid))).toEqual([])
    expect(running).toHaveLength(2)

    const before = await pids()
    await site.nats.restart()
    const heard = await sent()
    await site.start('controller')
    await agentsAre('Connected')
    await clean()
    for (const [vm, state] of [
      [guest, 'Running'],
      [spare, 'Running'],
      [neighbour, 'Stopped'],
    ] as const)
      await vmIs(vm, state)
    await heard.end()
    expect(heard.documents).toEqual([])
    expect(await pids()).toEqual(before)
  })
})

describe('an agent whose disk was wiped', () => {
  const again = async (kind: AgentKind, what: 'ledger' | 'all') => {
    await site.kill(`agent-${kind}`)
    const folder = join(site.dir, `agent-${kind}`)
    await rm(what === 'all' ? folder : join(folder, 'ledger'), { recursive: true })
    if (what === 'all') {
      const { token } = (await site.client.call('CreateAgentToken', {})) as { token: string }
      await writeFile(join(site.dir, `${kind}.token`), token, { mode: 0o600 })
    }
    const heard = await sent()
    await site.start(`agent-${kind}`)
    await until(`documents for agent-${kind}`, 160_000, () => heard.documents.length > 0)
    await agentsAre('Connected')
    await heard.end()
  }

  it.each(KINDS)('agent-%s without its ledger: sync rebuilds it, and nothing on the host is touched', async (kind) => {
    const [before, up] = [await pids(), await uptime(demo.l3, guest.ip)]
    await again(kind, 'ledger')
    await clean()
    expect(await pids()).toEqual(before)
    expect(await uptime(demo.l3, guest.ip)).toBeGreaterThan(up)
    expect(await outward(guest)).toContain('outside sees')
    expect([await stateOf(guest), await stateOf(neighbour)]).toEqual(['Running', 'Stopped'])
  })

  it.each(KINDS)('agent-%s without anything: it enrols as who it was, and guests run on', async (kind) => {
    const [{ qemu }, up, known] = [await pids(), await uptime(demo.l3, guest.ip), await agents()]
    await again(kind, 'all')
    await clean()
    expect((await agents()).map((a) => a['uuid'])).toEqual(known.map((a) => a['uuid']))
    expect((await pids()).qemu).toEqual(qemu)
    expect(await uptime(demo.l3, guest.ip)).toBeGreaterThan(up)
    expect(await resolved(demo.l3, GATEWAY, 'alone.site.test')).toEqual([guest.ip])
    expect(await outward(guest)).toContain('outside sees')
  })

  it('finds the effect of a command that is repeated by its id', async () => {
    const bus = await site.nats.connect('controller')
    const storage = (await agents()).find((a) => a['kind'] === 'storage')!['uuid'] as string
    const image = 'a'.repeat(32)
    const ask = async (verb: string, input: Row) => {
      const data = { id: `twice_${verb}`, deadlineMs: 60_000, epoch: 1, mode: 'apply', input }
      const reply = await bus.request(subjects.do('storage', storage, 'image', image, verb), data, { timeoutMs: 60_000 })
      return (reply.data as { output: Row }).output
    }
    const download = { storePath: join(site.dir, 'images'), url: `file://${await guestImage()}`, format: 'qcow2', checksum: null }
    const first = await ask('download', download)
    const { ino } = await stat(first['installPath'] as string)
    await again('storage', 'ledger')
    expect(await ask('download', download)).toEqual(first)
    expect((await stat(first['installPath'] as string)).ino).toBe(ino) // the bytes were not fetched again
    expect(await ask('remove', { storePath: download.storePath, sha256: first['sha256']! })).toEqual({ removed: true })
    await bus.close()
    await clean()
  })
})
