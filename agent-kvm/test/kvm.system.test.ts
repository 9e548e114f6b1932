import { readFile, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { hashOfSecret } from '@skerry/console/token'
import { bridgeName, inventoryReply, kvmCommands, type kvmDesired, subjects, tapName } from '@skerry/contract'
import { domainXml } from '@skerry/libvirt'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { doc, gen, tomb, vmSpec } from './documents.ts'
import { newId, type RealBench, realBench } from './process.ts'

const l2 = newId()
const nic = newId()
const vm = newId()
const deaf = newId()
const until = (check: () => void | Promise<void>, timeout = 20_000) => vi.waitFor(check, { timeout, interval: 20 })

describe.skipIf(
  !requireOrSkip('agent-kvm on libvirt', {
    root: true,
    programs: ['libvirtd', 'virtlogd', 'virsh', 'qemu-system-x86_64', 'nats-server', 'ip', 'unshare', 'nsenter'],
  }),
)('agent-kvm as a process, with a real libvirtd and real guests', () => {
  let b: RealBench
  let seq = 0
  let epoch = 0
  const heard: Record<string, { text: string; end: string | undefined }> = {}

  beforeAll(async () => {
    b = await realBench()
    await b.start()
  })
  afterAll(async () => {
    await b?.stop()
    await b?.host.ip.at().links.del(bridgeName(l2)) // only there when a test failed
  })

  const spec = (which: 'obeys' | 'deaf', over: Partial<kvmDesired.VmSpec> = {}) =>
    vmSpec('1', {
      disks: [{ volumeUuid: newId(), path: `${b.dir}/pool/${which}.raw`, format: 'raw', target: 'vda', boot: true }],
      nics:
        which === 'obeys'
          ? [{ nicUuid: nic, mac: 'fa:16:3e:00:00:01', bridge: bridgeName(l2), tap: tapName(nic), ip: '10.0.0.5' }]
          : [],
      ...over,
    })
  let base: Record<'obeys' | 'deaf', kvmDesired.VmSpec>
  const power = (state: 'Running' | 'Stopped', mode: 'grace' | 'cold' = 'grace', graceMs = 30_000) =>
    ({ state, cause: 'api', mode, graceMs }) as const
  const uuidOf = (which: 'obeys' | 'deaf') => (which === 'obeys' ? vm : deaf)
  /** Sends the document and waits for the status of that generation. */
  async function want(which: 'obeys' | 'deaf', over: Partial<kvmDesired.VmSpec>, observed: Record<string, unknown>) {
    const uuid = uuidOf(which)
    seq += 1
    await b.sync(doc('vm', uuid, seq, { ...base[which], ...over }))
    await until(() => expect(b.last(uuid)).toMatchObject({ generation: gen(seq), condition: 'Ready', observed }))
  }
  async function boot(which: 'obeys' | 'deaf') {
    const before = greetings(await b.consoleLog(uuidOf(which)))
    epoch += 1
    await want(
      which,
      { power: power('Running'), placementEpoch: epoch },
      { power: 'Running', cause: 'api', pid: expect.any(Number) },
    )
    await until(async () => expect(greetings(await b.consoleLog(uuidOf(which)))).toBe(before + 1))
  }
  const greetings = (log: string) => log.split('skerry guest').length - 1
  const pidOf = (uuid: string) => b.last(uuid)?.observed['pid'] as number

  /** Opens the serial console; returns its session. */
  async function open(uuid: string): Promise<string> {
    const session = newId()
    const of = (heard[session] = { text: '', end: undefined as string | undefined })
    b.controller.subscribe(subjects.io('kvm', b.agentUuid, session, 'out'), ({ data }) => {
      const { d, end, reason } = data as { d?: string; end?: true; reason?: string }
      if (d !== undefined) of.text += Buffer.from(d, 'base64').toString('latin1')
      if (end) of.end = reason
    })
    await b.controller.flush()
    const token = newId()
    await b.command('vm', uuid, 'allow-console', { tokenHash: hashOfSecret(token), ttlMs: 60_000 })
    expect(await b.command('vm', uuid, 'console', { session, kind: 'serial', token })).toEqual({ kind: 'serial' })
    return session
  }
  const type = (session: string, text: string) =>
    b.controller.publish(subjects.io('kvm', b.agentUuid, session, 'in'), { d: Buffer.from(text, 'latin1').toString('base64') })

  it('tells the facts of the host', async () => {
    const facts = kvmCommands.facts.output.parse(await b.command('host', newId(), 'facts', {}))
    expect(facts).toMatchObject({
      domainType: 'qemu',
      libvirtVersion: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      qemuVersion: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    })
  })

  it('makes a bridge, starts a guest from its disk on a tap of the given name, and says so with its pid', async () => {
    base = { obeys: spec('obeys'), deaf: spec('deaf') }
    await b.sync(doc('bridge', l2, ++seq, { name: bridgeName(l2), physicalInterface: null, mtu: 1400 }))
    await until(() => expect(b.last(l2)?.condition).toBe('Ready'))
    const began = performance.now()
    await boot('obeys')
    console.info(`from document to greeting: ${Math.round(performance.now() - began)} ms (TCG)`)
    expect(Object.values(await b.libvirtd.qemuPids())).toEqual([pidOf(vm)])
    const links = await b.host.ip.at().links.list()
    expect(links.find((l) => l.name === tapName(nic))).toMatchObject({ master: bridgeName(l2), up: true, mtu: 1400 })
    expect(links.find((l) => l.name === bridgeName(l2))).toMatchObject({ alias: `skerry:${l2}`, up: true, mtu: 1400 })
    const inet6 = (await b.host.ip.at().addresses.list()).filter((a) => a.dev === bridgeName(l2))
    expect(inet6).toEqual([])
    const { items } = inventoryReply.parse(await b.ask('inventory', null))
    const own = items.filter((i) => [vm, bridgeName(l2), tapName(nic)].includes(i.id))
    expect(own.map((i) => [i.kind, i.owner]).sort()).toEqual([
      ['bridge', l2],
      ['domain', vm],
      ['tap', nic],
    ])
    expect(own.find((i) => i.kind === 'domain')?.facts).toEqual({
      power: 'Running',
      disks: [`${b.dir}/pool/obeys.raw`],
      taps: [tapName(nic)],
    })
  })

  it('answers on its serial console', async () => {
    const session = await open(vm)
    type(session, 'hello')
    await until(() => expect(heard[session]?.text).toBe('hello'))
  })

  it('stopped and started again finds the same guest, with the same pid, and its console works', async () => {
    const pid = pidOf(vm)
    await b.end('SIGTERM')
    expect(Object.values(await b.libvirtd.qemuPids())).toEqual([pid])
    b.statuses.length = 0
    await b.start()
    await until(() => expect(b.last(vm)).toMatchObject({ condition: 'Ready', observed: { power: 'Running', pid } }))
    const session = await open(vm)
    type(session, 'again')
    await until(() => expect(heard[session]?.text).toBe('again'))
  })

  it('pauses a guest by order, which stands still over its own end, and lets it go on where it was', async () => {
    const pid = pidOf(vm)
    const orders = (paused: boolean, order: number) => ({ ...power('Running'), pause: { paused, order } })
    await want('obeys', { power: orders(true, 1), placementEpoch: epoch }, { power: 'Paused', cause: 'api', pid })
    expect(await b.virsh('domstate', `skerry-${vm}`, '--reason')).toBe('paused (user)')
    const session = await open(vm)
    type(session, 'late')
    await b.end('SIGKILL')
    b.statuses.length = 0
    await b.start()
    await until(() => expect(b.last(vm)).toMatchObject({ condition: 'Ready', observed: { power: 'Paused', cause: 'api', pid } }))
    await want('obeys', { power: orders(false, 2), placementEpoch: epoch }, { power: 'Running', cause: 'api', pid })
    const next = await open(vm)
    type(next, 'on')
    await until(() => expect(heard[next]?.text).toContain('on'))
    expect(greetings(await b.consoleLog(vm))).toBe(1)
  })

  it('killed with -9 and started again finds the same guest, and its console works', async () => {
    const pid = pidOf(vm)
    const session = await open(vm)
    type(session, 'x')
    await until(() => expect(heard[session]?.text).toBe('x'))
    await b.end('SIGKILL')
    expect(Object.values(await b.libvirtd.qemuPids())).toEqual([pid])
    b.statuses.length = 0
    await b.start()
    await until(() => expect(b.last(vm)).toMatchObject({ condition: 'Ready', observed: { power: 'Running', pid } }))
    const next = await open(vm)
    type(next, 'y')
    await until(() => expect(heard[next]?.text).toBe('y'))
    expect(greetings(await b.consoleLog(vm))).toBe(1)
  })

  it('tells at once that a guest powered itself off, and leaves it off', async () => {
    const session = await open(vm)
    const began = performance.now()
    type(session, 'q')
    await until(() =>
      expect(b.last(vm)).toMatchObject({ condition: 'Ready', observed: { power: 'Stopped', cause: 'guest', pid: null } }),
    )
    const tookMs = (b.last(vm)?.heardMs as number) - began
    console.info(`from the guest's power off to the status: ${Math.round(tookMs)} ms`)
    expect(tookMs).toBeLessThan(10_000)
    await until(() => expect(heard[session]?.end).toBe('the VM has ended'))
    await sleep(1_500)
    expect(await b.libvirtd.qemuPids()).toEqual({})
    expect((await b.host.ip.at().links.list()).some((l) => l.name === tapName(nic))).toBe(false)
    await expect(open(vm)).rejects.toMatchObject({ code: 'vm-illegal-state' })
  })

  it('tells that a guest was destroyed by hand, and leaves it off, over its own restart too', async () => {
    await boot('obeys')
    await b.virsh('destroy', `skerry-${vm}`)
    await until(() =>
      expect(b.last(vm)).toMatchObject({ condition: 'Ready', observed: { power: 'Stopped', cause: 'destroyed' } }),
    )
    await b.end('SIGKILL')
    b.statuses.length = 0
    await b.start()
    await until(() =>
      expect(b.last(vm)).toMatchObject({ condition: 'Ready', observed: { power: 'Stopped', cause: 'destroyed' } }),
    )
    expect(await b.libvirtd.qemuPids()).toEqual({})
  })

  it('finds out that qemu was killed while it was itself dead', async () => {
    await boot('obeys')
    await b.end('SIGKILL')
    process.kill(pidOf(vm), 'SIGKILL')
    await until(async () => expect(await b.libvirtd.qemuPids()).toEqual({}))
    b.statuses.length = 0
    await b.start()
    await until(() =>
      expect(b.last(vm)).toMatchObject({
        condition: 'Ready',
        observed: { power: 'Stopped', cause: expect.stringMatching(/crash|failed/) },
      }),
    )
  })

  it('reboots a guest: by asking one that obeys, by reset one that does not', async () => {
    await boot('obeys')
    const pid = pidOf(vm)
    const before = greetings(await b.consoleLog(vm))
    expect(await b.command('vm', vm, 'reboot', { graceMs: 20_000 })).toEqual({ how: 'acpi' })
    await until(async () => expect(greetings(await b.consoleLog(vm))).toBe(before + 1))
    await boot('deaf')
    expect(await b.command('vm', deaf, 'reboot', { graceMs: 500 })).toEqual({ how: 'reset' })
    await until(async () => expect(greetings(await b.consoleLog(deaf))).toBe(2))
    expect(b.last(vm)).toMatchObject({ observed: { power: 'Running', pid } })
  })

  it('stops a guest by asking; one that does not obey is cut when its grace time is over', async () => {
    await want('obeys', { power: power('Stopped'), placementEpoch: epoch }, { power: 'Stopped', cause: 'api' })
    const began = performance.now()
    const working = until(() => expect(b.last(deaf)).toMatchObject({ condition: 'Working', observed: { power: 'Running' } }))
    await Promise.all([
      working,
      want('deaf', { power: power('Stopped', 'grace', 2_000), placementEpoch: epoch }, { power: 'Stopped', cause: 'api' }),
    ])
    const tookMs = performance.now() - began
    expect(tookMs).toBeGreaterThan(1_990)
    expect(tookMs).toBeLessThan(15_000)
    expect(await b.libvirtd.qemuPids()).toEqual({})
  })

  it('stops a guest cold at once', async () => {
    await boot('deaf')
    await want('deaf', { power: power('Stopped', 'cold'), placementEpoch: epoch }, { power: 'Stopped', cause: 'api' })
  })

  it('goes on when libvirtd was killed and came back: same pid, no restart', async () => {
    await boot('obeys')
    const pid = pidOf(vm)
    const before = greetings(await b.consoleLog(vm))
    await b.libvirtd.kill()
    await sleep(500)
    await b.libvirtd.restart()
    await want(
      'obeys',
      { power: power('Running'), placementEpoch: epoch, name: 'renamed' },
      { power: 'Running', pid, pendingChange: true },
    )
    expect(greetings(await b.consoleLog(vm))).toBe(before)
  })

  it("leaves the user's own domains alone, and its tombstones leave nothing but the disks", async () => {
    const mine = domainXml({
      uuid: newId(),
      name: 'mine',
      type: 'qemu',
      cpuMode: 'none',
      cpuCount: 1,
      memoryBytes: 64 * 1024 * 1024,
      disks: [],
      nics: [],
    })
    await writeFile(`${b.dir}/mine.xml`, mine)
    await b.virsh('define', `${b.dir}/mine.xml`)
    seq += 1
    await b.sync(tomb('vm', vm, seq), tomb('vm', deaf, seq), tomb('bridge', l2, seq))
    await until(() => {
      for (const uuid of [vm, deaf, l2]) expect(b.last(uuid)).toMatchObject({ generation: gen(seq), condition: 'Gone' })
    })
    expect(await b.virsh('list', '--all', '--name')).toBe('mine')
    const names = (await b.host.ip.at().links.list()).map((l) => l.name)
    expect(names).not.toContain(bridgeName(l2))
    expect(names).not.toContain(tapName(nic))
    expect(await b.host.files.list(`${b.stateDir}/vms`)).toEqual([])
    expect(await b.host.files.list(`${b.dir}/pool`)).toEqual(['deaf.raw', 'obeys.raw'])
  })
  it('takes little memory', async () => {
    const rssOf = async (pid: number) =>
      Number((await readFile(`/proc/${pid}/status`, 'utf8')).match(/VmRSS:\s+(\d+)/)?.[1]) / 1024
    console.info(`resident memory of the agent: ${Math.round(await rssOf(b.agentPid()))} MiB (run from source through tsx)`)
    expect(await rssOf(b.agentPid())).toBeLessThan(250)
  })
})
