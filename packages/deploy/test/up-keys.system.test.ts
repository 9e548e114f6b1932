/**
 * The steps of `up` that make and replace keys, with the built programs and services of a whole site, but without guests: libvirt's
 * own test driver stands in for the machine's.
 */
import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Row } from '@skerry/contract'
import { realHost } from '@skerry/host'
import { freePort, requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { AGENTS, layoutOf } from '../src/layout.ts'
import { readUpSettings, type Settings } from '../src/settings.ts'
import { caPhase } from '../src/site/ca-rotation.ts'
import { renewCa } from '../src/steps/ca.ts'
import { checkPorts, installPrograms, prepareFolders, prepareKeys } from '../src/steps/ground.ts'
import { cli, logOut, writeContext } from '../src/steps/person.ts'
import { openSession, startAgents, startCore } from '../src/steps/services.ts'
import { need, type Up } from '../src/steps/state.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })
const run = promisify(execFile)
const repo = join(import.meta.dirname, '../../..')
const silent = () => undefined

const can = requireOrSkip('keys of a site that up made', {
  root: true,
  programs: ['nats-server', 'virsh', 'dnsmasq', 'ip', 'nft'],
})
describe.runIf(can)('a site that up made', () => {
  let dir: string
  let env: Record<string, string>

  const upWith = (...flags: string[]): Up => {
    const settings = readUpSettings(['--no-demo', ...flags], env) as Settings
    return {
      ...{ settings, layout: layoutOf(settings.stateDir), host: realHost(), node: process.execPath, dist: join(repo, 'dist') },
      ...{ configHome: join(dir, 'config'), systemd: false, now: () => Date.now() },
      sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      found: {
        kvm: { domainType: 'qemu' } as never,
        libvirt: { uri: 'test:///default', services: [] },
        guest: { path: '/dev/null', sha256: '' },
      },
    }
  }
  /** The steps of `up` in its own order. */
  const up = async (...flags: string[]): Promise<Up> => {
    const site = upWith(...flags)
    const steps = [
      prepareFolders,
      installPrograms,
      checkPorts,
      prepareKeys,
      startCore,
      openSession,
      startAgents,
      renewCa,
      writeContext,
    ]
    for (const step of steps) await step(site, silent)
    return site
  }
  const agentKeys = async (site: Up) => {
    const { inventories } = await need(site, 'client').query('agent', {})
    return Object.fromEntries((inventories as Row[]).map((agent) => [agent['kind'], agent['publicKey']]))
  }
  const services = async (site: Up) =>
    Object.fromEntries(
      (await need(site, 'manager').status()).map(({ name, pid, state }) => [name, state === 'running' ? pid : state]),
    )
  const file = (site: Up, path: string) => site.host.files.read(path)

  beforeAll(async () => {
    await run(join(repo, 'scripts/build'), [])
    dir = await mkdtemp(join(tmpdir(), 'skerry-upkeys-'))
    await run('chmod', ['711', dir])
    env = {
      SKERRY_STATE_DIR: join(dir, 's'),
      SKERRY_HTTP_PORT: String(await freePort()),
      SKERRY_NATS_ADDR: `127.0.0.1:${await freePort()}`,
    }
  })
  afterAll(async () => {
    const site = upWith()
    await prepareFolders(site, silent)
    await installPrograms(site, silent)
    await need(site, 'manager').stop()
    await rm(dir, { recursive: true, force: true })
  })

  test('a second run restarts nothing; another certificate restarts what reads it, and the agents come back', async () => {
    const before = await services(await up())
    expect(Object.keys(before)).toEqual(expect.arrayContaining(['nats', 'controller', ...AGENTS.map((name) => `agent-${name}`)]))
    expect(await services(await up())).toEqual(before)
    const site = await up('--renew-tls')
    const after = await services(site)
    const restarted = Object.keys(before).filter((name) => after[name] !== before[name])
    expect(restarted.sort()).toEqual(['controller', 'nats'])
    await logOut(site, silent)
  })

  test('account keys are rotated by the command line; the next up renews its own credentials', async () => {
    const site = await up()
    const [keys, creds] = [await agentKeys(site), await file(site, site.layout.cliCreds)]
    const { stdout } = await cli(site, ['keys', 'rotate', 'account'])
    expect(stdout).toContain('Done')
    const now = await agentKeys(site)
    for (const name of AGENTS) expect(now[name]).not.toBe(keys[name])
    const again = await up()
    expect(await file(again, again.layout.cliCreds)).not.toBe(creds)
    const found = await cli(again, ['nats', 'services'])
    for (const name of AGENTS) expect(found.stdout).toContain(`agent-${name}`)
  })

  test('another authority takes over, also when up is cut off on the way', async () => {
    const site = upWith('--renew-ca')
    const { layout, host } = site
    const old = new X509Certificate((await file(site, layout.caCert))!)
    for (const step of [prepareFolders, installPrograms, prepareKeys, startCore, openSession, startAgents])
      await step(site, silent)
    // cut off behind its first phase: the next run, with no flag, goes on
    const cut = new Error('cut off')
    const seen = vi.fn(() => {
      if (seen.mock.calls.length === 2) throw cut
    })
    await expect(renewCa(site, seen)).rejects.toThrow()
    expect(await caPhase({ files: host.files, layout })).toBeDefined()
    const after = await up()
    expect(await caPhase({ files: host.files, layout })).toBeUndefined()
    const authority = new X509Certificate((await file(after, layout.caCert))!)
    expect(authority.fingerprint256).not.toBe(old.fingerprint256)
    expect((await file(after, layout.caCert))!.match(/BEGIN CERTIFICATE/g)).toHaveLength(1)
    expect(new X509Certificate((await file(after, layout.serverCert))!).verify(authority.publicKey)).toBe(true)
    for (const name of AGENTS) {
      const identity = (await file(after, `${layout.agent(name)}/identity.json`))!
      expect(JSON.parse(identity.split('\n')[0]!).granted.ca.trim()).toBe((await file(after, layout.caCert))!.trim())
    }
    expect((await cli(after, ['nats', 'services'])).stdout).toContain('agent-kvm')
  })
})
