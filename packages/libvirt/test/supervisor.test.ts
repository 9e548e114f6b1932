import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { type LibvirtState, type SupervisedLibvirt, type SuperviseOptions, superviseLibvirt } from '../src/index.ts'
import { isRunning } from '../src/testing/processes.ts'
import { gather } from './gather.ts'
import { libvirtInstalled } from './libvirt-installed.ts'

const childPath = fileURLToPath(new URL('./fixtures/scripted-child.mjs', import.meta.url))
const uuid = '1'.repeat(32)
const open: SupervisedLibvirt[] = []

function supervise(uri: string, options: Partial<SuperviseOptions> = {}) {
  const states = gather<LibvirtState>()
  const logs: string[] = []
  const libvirt = superviseLibvirt({ uri, childPath, log: (text) => logs.push(text), ...options })
  libvirt.onState((s) => states.add(s))
  open.push(libvirt)
  return { libvirt, states, logs }
}

afterEach(async () => {
  for (const libvirt of open.splice(0)) await libvirt.close()
})

describe('the supervisor of the libvirt backend', () => {
  it('lets a call wait for the connection, then answers it', async () => {
    const { libvirt } = supervise('obedient')
    expect(await libvirt.call('listDomains', {}, { timeoutMs: 30_000 })).toEqual([{ name: `pid-${libvirt.childPid}` }])
  })

  it('ends an overdue call at its deadline while other calls go on', async () => {
    const { libvirt } = supervise('obedient')
    await libvirt.call('listDomains', {}, { timeoutMs: 30_000 })
    const began = performance.now()
    const hanging = libvirt.call('hostInfo', {}, { timeoutMs: 200 })
    expect(await libvirt.call('listDomains', {}, { timeoutMs: 30_000 })).toHaveLength(1)
    await expect(hanging).rejects.toMatchObject({ code: 'deadline-exceeded', details: { op: 'hostInfo', timeoutMs: 200 } })
    expect(performance.now() - began).toBeGreaterThanOrEqual(195)
    // not as late as the other call would have been
    expect(performance.now() - began).toBeLessThan(25_000)
  })

  it('does not replace a backend whose answer is merely late', async () => {
    const { libvirt, states } = supervise('obedient', { stuckAfterMs: 2_000 })
    await libvirt.call('listDomains', {}, { timeoutMs: 30_000 })
    const pid = libvirt.childPid
    await expect(libvirt.call('domainXml', { uuid }, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'deadline-exceeded' })
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(await libvirt.call('listDomains', {}, { timeoutMs: 30_000 })).toEqual([{ name: `pid-${pid}` }])
    expect(states.all).toEqual(['connected'])
  })

  it('kills and replaces a backend that is stuck in a call, and fails what it was doing', async () => {
    const { libvirt, states } = supervise('obedient', { stuckAfterMs: 100 })
    await libvirt.call('listDomains', {}, { timeoutMs: 30_000 })
    const pid = libvirt.childPid!
    const short = libvirt.call('hostInfo', {}, { timeoutMs: 50 })
    const long = libvirt.call('hostInfo', {}, { timeoutMs: 60_000 })
    await expect(short).rejects.toMatchObject({ code: 'deadline-exceeded' })
    await expect(long).rejects.toMatchObject({ code: 'hypervisor-failed' })
    const [answered] = await libvirt.call('listDomains', {}, { timeoutMs: 30_000 })
    expect(answered!.name).not.toBe(`pid-${pid}`)
    expect(states.all).toEqual(['connected', 'restarting', 'connected'])
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/)
  })

  it('kills and replaces a backend that answers no pings', async () => {
    const { libvirt, states } = supervise('silent', { pingEveryMs: 100, silentMs: 1_500 })
    await states.until((s) => s === 'connected')
    const pid = libvirt.childPid!
    await states.until((s) => s === 'restarting')
    await expect.poll(() => libvirt.childPid ?? pid, { timeout: 10_000 }).not.toBe(pid)
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/)
  })

  it('replaces a backend that has grown too large, after what it is at work on; calls meanwhile wait and are answered', async () => {
    const { libvirt, states } = supervise('grows', { pingEveryMs: 30 })
    await libvirt.call('listDomains', {}, { timeoutMs: 30_000 })
    const pid = libvirt.childPid!
    const begun = libvirt.call('domainXml', { uuid }, { timeoutMs: 30_000 })
    await states.until((s) => s === 'restarting') // it has said how large it is
    const waits = libvirt.call('listDomains', {}, { timeoutMs: 30_000 })
    expect(await begun).toBe('<late/>')
    const [answered] = await waits
    expect(answered!.name).not.toBe(`pid-${pid}`)
    expect(states.all.slice(0, 3)).toEqual(['connected', 'restarting', 'connected'])
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/)
  })

  it('replaces a backend that was killed from outside', async () => {
    const { libvirt, states } = supervise('obedient')
    await states.until((s) => s === 'connected')
    const pid = libvirt.childPid!
    const pending = libvirt.call('hostInfo', {}, { timeoutMs: 60_000 })
    process.kill(pid, 'SIGKILL')
    await expect(pending).rejects.toMatchObject({ code: 'hypervisor-failed' })
    const [answered] = await libvirt.call('listDomains', {}, { timeoutMs: 30_000 })
    expect(answered!.name).not.toBe(`pid-${pid}`)
    expect(states.all).toEqual(['connected', 'restarting', 'connected'])
  })

  it('fails calls at once with the reason while libvirt is unreachable', async () => {
    const { libvirt, states } = supervise('unreachable')
    const early = libvirt.call('listDomains', {}, { timeoutMs: 60_000 })
    await expect(early).rejects.toMatchObject({ code: 'hypervisor-failed', details: { message: 'no socket' } })
    await expect(libvirt.call('listDomains', {}, { timeoutMs: 60_000 })).rejects.toMatchObject({
      details: { message: 'no socket' },
    })
    expect(states.all).toEqual(['disconnected'])
  })

  it('fails calls at once when the connection does not come in the time of patience', async () => {
    const { libvirt } = supervise('never-connects', { patienceMs: 100 })
    const early = libvirt.call('listDomains', {}, { timeoutMs: 60_000 })
    await expect(early).rejects.toMatchObject({
      code: 'hypervisor-failed',
      details: { message: expect.stringContaining('not accept') },
    })
  })

  it('tells that the connection was lost and fails what was pending with the reason', async () => {
    const { libvirt, states } = supervise('obedient')
    await states.until((s) => s === 'connected')
    const pending = libvirt.call('hostInfo', {}, { timeoutMs: 60_000 })
    const trigger = libvirt.call('domainReset', { uuid }, { timeoutMs: 60_000 })
    await expect(pending).rejects.toMatchObject({ code: 'hypervisor-failed', details: { message: 'end of file' } })
    await expect(trigger).rejects.toMatchObject({ code: 'hypervisor-failed' })
    expect(states.all).toEqual(['connected', 'disconnected'])
  })

  it('hands on what a backend wrote before it died and goes on trying', async () => {
    const { libvirt, logs, states } = supervise('dies-at-start')
    await expect(libvirt.call('listDomains', {}, { timeoutMs: 60_000 })).rejects.toMatchObject({
      code: 'hypervisor-failed',
      details: { message: expect.stringContaining('exit code 3') },
    })
    expect(states.all).toEqual(['disconnected'])
    await expect.poll(() => logs.filter((l) => l.includes('no such file')).length, { timeout: 10_000 }).toBeGreaterThan(1)
  })

  it('leaves no process behind when it is closed', async () => {
    const { libvirt, states } = supervise('obedient')
    await states.until((s) => s === 'connected')
    const pid = libvirt.childPid!
    const pending = libvirt.call('hostInfo', {}, { timeoutMs: 60_000 })
    await Promise.all([libvirt.close(), expect(pending).rejects.toMatchObject({ code: 'hypervisor-failed' })])
    expect(() => process.kill(pid, 0)).toThrow(/ESRCH/)
  })
})

describe.skipIf(!libvirtInstalled())('the real backend process', () => {
  it('is replaced when it is stopped, and works again', async () => {
    const { libvirt, states } = supervise('test:///default', { childPath: undefined, pingEveryMs: 100, silentMs: 3_000 })
    await states.until((s) => s === 'connected')
    const pid = libvirt.childPid!
    process.kill(pid, 'SIGSTOP')
    await states.until((s) => s === 'restarting')
    expect(await libvirt.call('listDomains', {}, { timeoutMs: 20_000 })).toMatchObject([{ name: 'test' }])
    expect(libvirt.childPid).not.toBe(pid)
  })

  it('ends itself when the process that it serves was killed', async () => {
    const parent = spawn(process.execPath, [
      '--import',
      pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href,
      fileURLToPath(new URL('./fixtures/parent.ts', import.meta.url)),
    ])
    const printed = gather<string>()
    parent.stdout.setEncoding('utf8').on('data', (text: string) => printed.add(text))
    const pid = Number(await printed.until(() => true, 30_000))
    expect(() => process.kill(pid, 0)).not.toThrow()
    parent.kill('SIGKILL')
    await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false)
  }, 60_000)

  it('says what libvirt says when a uri cannot be opened', async () => {
    const { libvirt } = supervise('test:///no/such/file', { childPath: undefined })
    await expect(libvirt.call('listDomains', {}, { timeoutMs: 20_000 })).rejects.toMatchObject({
      code: 'hypervisor-failed',
      details: { message: expect.stringContaining('/no/such/file') },
    })
  })

  it('refuses text with a NUL, which C would cut', async () => {
    const { libvirt } = supervise('test:///default', { childPath: undefined })
    await expect(libvirt.call('domainDefineXml', { xml: '<domain/>\0' }, { timeoutMs: 20_000 })).rejects.toMatchObject({
      code: 'hypervisor-failed',
      details: { message: expect.stringContaining('NUL') },
    })
  })

  it('reports no failure over thousands of native calls, eight at a time', async () => {
    const { libvirt, states } = supervise('test:///default', { childPath: undefined })
    const loops = Array.from({ length: 8 }, async () => {
      for (let i = 0; i < 100; i++) await libvirt.call('hostInfo', {}, { timeoutMs: 20_000 })
    })
    await Promise.all(loops)
    expect(states.all).toEqual(['connected'])
  })
})
