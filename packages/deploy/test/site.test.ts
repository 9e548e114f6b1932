import { X509Certificate } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { files } from '@skerry/host'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { folders, layoutOf } from '../src/layout.ts'
import { readDownSettings, readUpSettings, type Settings } from '../src/settings.ts'
import { controllerUrl, natsPublicUrl, prepareSite } from '../src/site/secrets.ts'

const disk = files()
const NOW = Date.parse('2026-03-01T00:00:00Z')
const YEAR = 365 * 24 * 3_600_000
let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'skerry-site-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

const settings = (env: Record<string, string> = {}) => readUpSettings([], { SKERRY_STATE_DIR: root, ...env }) as Settings

async function prepare(given: Settings, now = NOW) {
  const layout = layoutOf(root)
  for (const { path, mode } of folders(layout)) await disk.makeDir(path, mode)
  await prepareSite({ files: disk, layout, settings: given, now })
  return layout
}

/** Every file with content and mode. */
async function snapshot(folder = root): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const name of (await disk.list(folder)) ?? []) {
    const path = join(folder, name)
    const stat = (await disk.stat(path))!
    if (stat.kind === 'folder') Object.assign(found, await snapshot(path))
    else found[path.slice(root.length)] = `${stat.mode.toString(8)} ${await disk.sha256(path)}`
  }
  return found
}

describe('keys of a site', () => {
  test('a second run changes no file', async () => {
    await prepare(settings())
    const before = await snapshot()
    await prepare(settings(), NOW + 3_600_000)
    expect(await snapshot()).toEqual(before)
  })

  test('everything but certificates is readable by its owner only', async () => {
    await prepare(settings())
    const open = Object.entries(await snapshot()).filter(([, text]) => !text.startsWith('600 '))
    expect(open.map(([path]) => path).sort()).toEqual(['/ca/ca.pem', '/ca/server.pem'])
  })

  test('no private key of the site stands in the configuration of the NATS server', async () => {
    const layout = await prepare(settings())
    const site = JSON.parse((await disk.read(layout.natsSite))!)
    const config = (await disk.read(layout.natsConfig))!
    for (const { seed } of Object.values(site) as { seed: string }[]) expect(config).not.toContain(seed)
    expect(config).toContain('resolver: "MEMORY"')
  })

  test('the server certificate is renewed before it ends, under the same CA', async () => {
    const layout = await prepare(settings())
    const [ca, server] = [await disk.read(layout.caCert), await disk.read(layout.serverCert)]
    await prepare(settings(), NOW + 2 * YEAR - 30 * 24 * 3_600_000)
    expect(await disk.read(layout.caCert)).toBe(ca)
    const renewed = (await disk.read(layout.serverCert))!
    expect(renewed).not.toBe(server)
    expect(new X509Certificate(renewed).verify(new X509Certificate(ca!).publicKey)).toBe(true)
  })

  test('a new address to listen on gets into the server certificate', async () => {
    await prepare(settings())
    const layout = await prepare(settings({ SKERRY_NATS_ADDR: '192.0.2.7:4333' }))
    expect(new X509Certificate((await disk.read(layout.serverCert))!).checkIP('192.0.2.7')).toBe('192.0.2.7')
    expect(await disk.read(layout.natsConfig)).toContain('port: 4333')
  })

  test('the password of the first start is kept, whatever later starts are given', async () => {
    await prepare(settings({ SKERRY_ADMIN_PASSWORD: 'first' }))
    const layout = await prepare(settings({ SKERRY_ADMIN_PASSWORD: 'second' }))
    expect(await disk.read(layout.adminPassword)).toBe('first')
  })
})

describe('settings', () => {
  test('defaults are loopback, the usual folder and the demo', () => {
    expect(readUpSettings([], {})).toMatchObject({
      stateDir: '/var/lib/skerry',
      siteName: 'skerry',
      http: { addr: '127.0.0.1', port: 8080 },
      nats: { addr: '127.0.0.1', port: 4222 },
      demoCidr: '10.0.137.0/24',
    })
  })

  test('two state folders are two sites by name', () => {
    const name = (dir: string) => (readUpSettings([], { SKERRY_STATE_DIR: dir }) as Settings).siteName
    expect(name('/srv/a')).not.toBe(name('/srv/b'))
    expect(name('/srv/a')).toMatch(/^skerry-[0-9a-f]{8}$/)
  })

  test('listening beyond loopback with the known password is refused', () => {
    expect(() => readUpSettings([], { SKERRY_HTTP_ADDR: '0.0.0.0' })).toThrow('SKERRY_ADMIN_PASSWORD')
    const given = readUpSettings([], { SKERRY_HTTP_ADDR: '0.0.0.0', SKERRY_ADMIN_PASSWORD: 'other' }) as Settings
    expect(controllerUrl(given)).toBe('https://127.0.0.1:8080')
  })

  test.each([
    ['SKERRY_HTTP_PORT', '99999'],
    ['SKERRY_HTTP_ADDR', 'example; rm -rf /'],
    ['SKERRY_STATE_DIR', 'relative'],
    ['SKERRY_STATE_DIR', '/srv/../etc'],
    ['SKERRY_NATS_ADDR', 'localhost:x'],
    ['SKERRY_DEMO_CIDR', '10.0.0.0'],
    ['SKERRY_LIBVIRT', 'maybe'],
  ])('%s=%s is refused and named', (key, value) => {
    expect(() => readUpSettings([], { [key]: value })).toThrow(key)
  })

  test('the address of NATS may leave its port out, and may be IPv6', () => {
    expect(settings({ SKERRY_NATS_ADDR: '127.0.0.9' }).nats).toEqual({ addr: '127.0.0.9', port: 4222 })
    expect(natsPublicUrl(settings({ SKERRY_NATS_ADDR: '[::1]:5000' }))).toBe('tls://[::1]:5000')
  })

  test('unknown arguments are refused, so that a mistyped --purge removes nothing', () => {
    expect(() => readDownSettings(['--purg'], {})).toThrow('--purg')
    expect(readDownSettings(['--purge'], {})).toMatchObject({ purge: true })
  })
})
