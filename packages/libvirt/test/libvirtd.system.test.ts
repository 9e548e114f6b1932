import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  domainXml,
  ffiNames,
  type LibvirtdHandle,
  type LibvirtState,
  type LifecycleEvent,
  markNamespace,
  parseDomain,
  parseMark,
  type SupervisedLibvirt,
  startLibvirtd,
  superviseLibvirt,
} from '../src/index.ts'
import { isRunning } from '../src/testing/processes.ts'
import { chainsDisks } from './chains.ts'
import { changesMedia, plugsDisks } from './disks.ts'
import { gather } from './gather.ts'
import { imagesIn } from './images.ts'
import { limitsDisks } from './limits.ts'
import { plugsNics } from './nics.ts'
import { full, minimal } from './specs.ts'

const run = promisify(execFile)
const within = { timeoutMs: 30_000 }
const uuid = '5'.repeat(32)
const mark = { uuid, generation: '1.42', hash: 'sha256:<"&' }

describe
  .skipIf(
    !requireOrSkip('a private libvirtd', {
      root: true,
      programs: ['libvirtd', 'virtlogd', 'virsh', 'qemu-system-x86_64', 'unshare', 'nsenter', 'ip'],
    }),
  )
  .each(ffiNames)('a real libvirtd with real qemu, through %s', (ffi) => {
  let dir: string
  let libvirtd: LibvirtdHandle
  let libvirt: SupervisedLibvirt
  const events = gather<LifecycleEvent>()
  const states = gather<LibvirtState>()
  const drive = { target: 'sda', bus: 'scsi' as const, bootOrder: 2 }
  const spec = () => ({
    ...minimal,
    uuid,
    name: `guest "1" <&> ; $(id)`,
    title: "it's <x> ]]>",
    description: 'two\nlines',
    cpuMode: 'maximum' as const,
    disks: [{ file: join(dir, 'disk.raw'), format: 'raw' as const, target: 'vda', volumeUuid: 'f'.repeat(32), bootOrder: 1 }],
    cdroms: [drive],
    serial: { type: 'unix' as const, path: join(dir, 'serial'), logFile: join(dir, 'serial.log') },
    vnc: { socket: join(dir, 'vnc') },
    guestAgent: true,
    ports: 33,
    mark,
  })
  const event = (name: string, detail: string, after = 0) =>
    events.until((e) => e.domainUuid === uuid && e.event === name && e.detail === detail && events.all.indexOf(e) >= after)

  beforeAll(async () => {
    dir = await mkdtemp('/tmp/skerry-lv-')
    await writeFile(join(dir, 'disk.raw'), '')
    await truncate(join(dir, 'disk.raw'), 1024 * 1024)
    libvirtd = await startLibvirtd({ dir, hostUuid: '11111111-2222-4333-8444-555555555555', hostname: 'lv-test' })
    libvirt = superviseLibvirt({ uri: libvirtd.uri, ffi, stuckAfterMs: 2_000, patienceMs: 1_000 })
    libvirt.onLifecycle((e) => events.add(e))
    libvirt.onState((s) => states.add(s))
  }, 60_000)

  afterAll(async () => {
    await libvirt?.close()
    await libvirtd?.stop({ destroyDomains: true })
    await rm(dir, { recursive: true, force: true })
  }, 60_000)

  it('is private: it has its own host uuid and name, and knows no domain', async () => {
    const info = await libvirt.call('hostInfo', {}, within)
    expect(info).toMatchObject({ hostname: 'lv-test', driver: 'QEMU' })
    expect(libvirt.ffi).toBe(ffi)
    expect(info.capabilitiesXml).toContain('11111111-2222-4333-8444-555555555555')
    expect(await libvirt.call('listDomains', {}, within)).toEqual([])
  }, 40_000)

  it("accepts the builder's whole vocabulary by libvirt's own schema, with hostile strings unchanged", async () => {
    // KVM may be missing here and the paths do not exist: a definition asks for neither once its type is qemu.
    const whole = { ...full, uuid: '6'.repeat(32), type: 'qemu' as const, cpuMode: 'maximum' as const }
    await libvirt.call('domainDefineXml', { xml: domainXml(whole), validate: true }, within)
    const parsed = parseDomain(await libvirt.call('domainXml', { uuid: whole.uuid, inactive: true }, within))
    expect(parsed).toMatchObject({ name: full.name, title: full.title, description: full.description, mark: full.mark })
    expect(parsed.nics.map((n) => n.tap)).toEqual(full.nics.map((n) => n.tap))
    await libvirt.call('domainUndefine', { uuid: whole.uuid, nvram: true, managedSave: true, snapshotsMetadata: true }, within)
  }, 40_000)

  it("reports libvirt's own message and code for a definition that it refuses", async () => {
    const xml = domainXml(spec()).replace('<memory unit="b">', '<memory unit="parsec">')
    await expect(libvirt.call('domainDefineXml', { xml }, within)).rejects.toMatchObject({
      code: 'hypervisor-failed',
      details: { libvirtCode: expect.any(Number), message: expect.stringContaining('parsec') },
    })
    const twice = domainXml({ ...full, type: 'qemu', cpuMode: 'maximum' }).replace('dev="vdb"', 'dev="vda"')
    await expect(libvirt.call('domainDefineXml', { xml: twice }, within)).rejects.toMatchObject({
      details: { libvirtCode: 27, message: expect.stringMatching(/^XML error: target 'vda' duplicated/) },
    })
  }, 40_000)

  it('defines and starts a guest: it runs, the events come, the mark is listed', async () => {
    await libvirt.call('domainDefineXml', { xml: domainXml(spec()), validate: true }, within)
    await libvirt.call('domainCreate', { uuid }, within)
    await event('defined', 'added')
    await event('started', 'booted')
    expect(await libvirt.call('domainGetState', { uuid }, within)).toEqual({ state: 'running', reason: 'booted' })
    const [row] = await libvirt.call('listDomains', { metadataUri: markNamespace }, within)
    expect(row).toMatchObject({ uuid, name: spec().name, state: 'running' })
    expect(parseMark(row!.metadata)).toEqual(mark)
    const live = parseDomain(await libvirt.call('domainXml', { uuid }, within))
    expect(live).toMatchObject({
      name: spec().name,
      title: spec().title,
      description: spec().description,
      mark,
      vnc: { socket: join(dir, 'vnc') },
    })
    expect(await libvirt.call('domainBlockStats', { uuid, disk: 'vda' }, within)).toMatchObject({
      readBytes: expect.any(Number),
    })
    expect(await libvirt.call('domainInfo', { uuid }, within)).toMatchObject({
      state: 'running',
      memoryBytes: 128 * 1024 * 1024,
    })
    const pids = Object.values(await libvirtd.qemuPids())
    expect(pids).toHaveLength(1)
  }, 60_000)

  it('has room for 24 more disks while it runs, and is only asked to let go of one', async () => {
    const files = Array.from({ length: 24 }, (_, n) => join(dir, `data${n}.raw`))
    for (const file of files) {
      await writeFile(file, '')
      await truncate(file, 1024 * 1024)
    }
    expect(await plugsDisks(libvirt, uuid, files)).toBe('vdb')
  }, 60_000)

  it('puts other media into a CD drive while it runs', async () => {
    const files = ['one.iso', 'two.iso'].map((name) => join(dir, name)) as [string, string]
    for (const file of files) {
      await writeFile(file, '')
      await truncate(file, 1024 * 1024)
    }
    await changesMedia(libvirt, uuid, { drive, files })
  }, 40_000)

  it('takes a network card while it runs, and is only asked to let go of it', async () => {
    await run('ip', ['link', 'add', 'sklvbr0', 'type', 'bridge'])
    try {
      await plugsNics(libvirt, uuid, { mac: 'fa:00:00:00:00:01', bridge: 'sklvbr0', tap: 'sklvtap0' })
    } finally {
      await run('ip', ['link', 'del', 'sklvbr0'])
    }
  }, 40_000)

  it('holds a disk back while it runs, as much as is said and no longer', async () => {
    await limitsDisks(libvirt, uuid, 'vda')
  }, 40_000)

  it('moves a running disk along chains of files', async () => {
    await chainsDisks(libvirt, { uuid, target: 'vdz' }, imagesIn(dir))
  }, 60_000)

  it('suspends, resumes, resets and presses the power button of a running guest', async () => {
    await libvirt.call('domainSuspend', { uuid }, within)
    await event('suspended', 'paused')
    await libvirt.call('domainResume', { uuid }, within)
    await event('resumed', 'unpaused')
    await libvirt.call('domainReset', { uuid }, within)
    // No operating system is there to obey, so the guest stays.
    await libvirt.call('domainShutdown', { uuid, via: 'acpi' }, within)
    expect(await libvirt.call('domainGetState', { uuid }, within)).toMatchObject({ state: 'running' })
  }, 40_000)

  it('ends calls at their deadline while libvirtd is stopped, never blocks this process, and works again afterwards', async () => {
    const before = await libvirtd.qemuPids()
    const backend = libvirt.childPid
    const seen = states.all.length
    libvirtd.sigstop()
    let worstGapMs = 0
    let last = performance.now()
    const ticker = setInterval(() => {
      worstGapMs = Math.max(worstGapMs, performance.now() - last)
      last = performance.now()
    }, 10)
    try {
      const began = performance.now()
      const calls = [300, 600, 900].map((timeoutMs) => libvirt.call('domainGetState', { uuid }, { timeoutMs }))
      const outcomes = await Promise.allSettled(calls)
      for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'deadline-exceeded' } })
      expect(performance.now() - began).toBeLessThan(30_000)
      // The stuck backend is replaced; the new one finds nobody to connect to: from then on calls fail at once.
      await states.until((s) => s === 'restarting')
      await states.until((s) => s === 'disconnected')
      const late = performance.now()
      await expect(libvirt.call('listDomains', {}, within)).rejects.toMatchObject({ code: 'hypervisor-failed' })
      expect(performance.now() - late).toBeLessThan(15_000)
    } finally {
      clearInterval(ticker)
      libvirtd.sigcont()
    }
    expect(worstGapMs).toBeLessThan(2_000)
    await expect.poll(() => states.all.slice(seen), { timeout: 20_000 }).toEqual(['restarting', 'disconnected', 'connected'])
    expect(libvirt.childPid).not.toBe(backend)
    expect(await libvirt.call('domainGetState', { uuid }, within)).toMatchObject({ state: 'running' })
    expect(await libvirtd.qemuPids()).toEqual(before)
  }, 90_000)

  it('connects again after libvirtd was killed and started anew, and finds the guest running with the same pid', async () => {
    const before = await libvirtd.qemuPids()
    const seen = states.all.length
    await libvirtd.kill()
    await expect.poll(() => states.all.slice(seen), { timeout: 20_000 }).toEqual(['disconnected'])
    await expect(libvirt.call('listDomains', {}, within)).rejects.toMatchObject({ code: 'hypervisor-failed' })
    await libvirtd.restart()
    await expect.poll(() => states.all.slice(seen), { timeout: 20_000 }).toEqual(['disconnected', 'connected'])
    expect(await libvirt.call('domainGetState', { uuid }, within)).toMatchObject({ state: 'running' })
    expect(await libvirtd.qemuPids()).toEqual(before)
    expect(parseMark(await libvirt.call('domainGetMetadata', { uuid, uri: markNamespace }, within))).toEqual(mark)
  }, 90_000)

  it('hears of a guest whose qemu is killed', async () => {
    const after = events.all.length
    process.kill(Object.values(await libvirtd.qemuPids())[0]!, 'SIGKILL')
    await event('stopped', 'failed', after)
    expect(await libvirt.call('domainGetState', { uuid }, within)).toMatchObject({ state: 'shutoff' })
  }, 40_000)

  it('cuts the power of a guest and forgets it, with the events', async () => {
    await libvirt.call('domainCreate', { uuid }, within)
    const after = events.all.length
    await libvirt.call('domainDestroy', { uuid }, within)
    await event('stopped', 'destroyed', after)
    expect(await libvirtd.qemuPids()).toEqual({})
    await libvirt.call('domainUndefine', { uuid, nvram: true, managedSave: true, snapshotsMetadata: true }, within)
    await event('undefined', 'removed', after)
    expect(await libvirt.call('listDomains', {}, within)).toEqual([])
  }, 60_000)

  it('leaves guests running when it is stopped, and ends them when told to, also later', async () => {
    await libvirt.call('domainDefineXml', { xml: domainXml(spec()) }, within)
    await libvirt.call('domainCreate', { uuid }, within)
    const daemons = Object.values(libvirtd.pids())
    const [guest] = Object.values(await libvirtd.qemuPids())
    await libvirtd.stop()
    expect(daemons.filter(isRunning)).toEqual([])
    expect(isRunning(guest!)).toBe(true)
    await libvirtd.stop({ destroyDomains: true })
    expect(isRunning(guest!)).toBe(false)
    expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(dir)
  }, 60_000)
})

describe('the folder of a private libvirtd', () => {
  it('is refused when it is relative, or too long for a socket', async () => {
    for (const folder of ['relative', `/tmp/${'x'.repeat(90)}`]) {
      await expect(startLibvirtd({ dir: folder })).rejects.toMatchObject({ code: 'invalid-argument' })
    }
  })
})
