import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCa, issueServerCert } from '@skerry/bus'
import { files } from '@skerry/host'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { folders, layoutOf } from '../src/layout.ts'
import { readDownSettings, readUpSettings, type Settings } from '../src/settings.ts'
import { beginCaRotation, caPhase, endCaPhase } from '../src/site/ca-rotation.ts'
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

  test('no private key of the site stands in what the NATS server reads', async () => {
    const layout = await prepare(settings())
    const site = JSON.parse((await disk.read(layout.natsSite))!)
    const config = (await disk.read(layout.natsConfig))!
    const account = (await disk.read(join(layout.natsAccounts, `${site.account.publicKey}.jwt`)))!
    for (const { seed } of Object.values(site) as { seed: string }[]) expect(config + account).not.toContain(seed)
    expect(config).toContain(`dir: "${layout.natsAccounts}"`)
  })

  test('what the server keeps of the account, and so who was revoked, is never written over', async () => {
    const layout = await prepare(settings())
    const path = join(layout.natsAccounts, (await disk.list(layout.natsAccounts))![0]!)
    await disk.write(path, 'newer', 0o600)
    await prepare(settings())
    expect(await disk.read(path)).toBe('newer')
    await disk.remove(path)
    await prepare(settings())
    expect(await disk.read(path)).toMatch(/^ey/)
  })

  test('a site from before signing keys gets one, under the same account', async () => {
    const layout = await prepare(settings())
    const { signingKey: _none, ...older } = JSON.parse((await disk.read(layout.natsSite))!)
    await disk.write(layout.natsSite, JSON.stringify(older), 0o600)
    await disk.remove(layout.natsAccounts)
    await prepare(settings())
    const site = JSON.parse((await disk.read(layout.natsSite))!)
    expect(site.account.publicKey).toBe(older.account.publicKey)
    expect(site.signingKey.publicKey).toMatch(/^A/)
    const claims = (jwt: string) => JSON.parse(Buffer.from(jwt.split('.')[1]!, 'base64url').toString())
    const jwt = (await disk.read(join(layout.natsAccounts, `${older.account.publicKey}.jwt`)))!
    expect(claims(jwt).nats.signing_keys).toEqual([site.signingKey.publicKey])
  })

  test('certificates are good whatever year a machine believes in', async () => {
    const layout = await prepare(settings(), 0) // a clock without a battery
    for (const path of [layout.caCert, layout.serverCert]) {
      const { validFrom, validTo } = new X509Certificate((await disk.read(path))!)
      expect([Date.parse(validFrom), new Date(validTo).getUTCFullYear()]).toEqual([0, 9999])
    }
    const before = await snapshot()
    await prepare(settings(), NOW + 100 * YEAR)
    expect(await snapshot()).toEqual(before)
  })

  test('--renew-tls gives the server another key, under the same CA, and its services another fingerprint', async () => {
    const layout = await prepare(settings())
    const [ca, server, key] = await Promise.all(
      [layout.caCert, layout.serverCert, layout.serverKey].map((path) => disk.read(path)),
    )
    const first = await prepareSite({ files: disk, layout, settings: settings(), now: NOW })
    expect(await disk.read(layout.serverCert)).toBe(server)
    const renewTls = { ...settings(), renewTls: true }
    const second = await prepareSite({ files: disk, layout, settings: renewTls, now: NOW })
    expect(second.nats).not.toBe(first.nats)
    expect(second.controller).not.toBe(first.controller)
    expect(await disk.read(layout.serverKey)).not.toBe(key)
    expect(await disk.read(layout.caCert)).toBe(ca)
    const renewed = new X509Certificate((await disk.read(layout.serverCert))!)
    expect(renewed.verify(new X509Certificate(ca!).publicKey)).toBe(true)
    expect(renewed.checkPrivateKey(createPrivateKey((await disk.read(layout.serverKey))!))).toBe(true)
  })

  test('another authority takes over in phases; whoever trusts what is given out is never left behind', async () => {
    const layout = await prepare(settings())
    const ports = { files: disk, layout }
    const firstCa = (await disk.read(layout.caCert))!
    const firstKey = (await disk.read(layout.caKey))!
    const seen: { phase: string; trusted: string[]; server: X509Certificate }[] = []
    const authorities = (pem: string) => pem.match(/-----BEGIN[\s\S]+?-----END CERTIFICATE-----/g)!
    await beginCaRotation(ports)
    await beginCaRotation(ports) // cut off and begun again: the same new authority
    for (let phase = await caPhase(ports); phase; phase = await caPhase(ports)) {
      await prepare(settings())
      const before = await snapshot()
      await prepare(settings()) // cut off after it: nothing more is to do
      expect(await snapshot()).toEqual(before)
      const server = new X509Certificate((await disk.read(layout.serverCert))!)
      seen.push({ phase, trusted: authorities((await disk.read(layout.caCert))!), server })
      await endCaPhase(ports)
    }
    const [old] = authorities(firstCa)
    const [, next] = seen[0]!.trusted
    expect(
      seen.map(({ phase, trusted }) => [phase, ...trusted.map((pem) => (pem === old ? 'old' : pem === next ? 'new' : '?'))]),
    ).toEqual([
      ['trust', 'old', 'new'],
      ['switch', 'new', 'old'],
      ['forget', 'new'],
    ])
    const issuer = ({ server }: { server: X509Certificate }) =>
      [old, next].findIndex((pem) => server.verify(new X509Certificate(pem!).publicKey))
    expect(seen.map(issuer)).toEqual([0, 1, 1])
    await prepare(settings())
    expect(await disk.read(layout.caKey)).not.toBe(firstKey)
    expect(new X509Certificate(next!).checkPrivateKey(createPrivateKey((await disk.read(layout.caKey))!))).toBe(true)
    expect(await disk.list(join(root, 'ca'))).not.toContain('rotation.json')
  })

  test('a certificate that ends soon is renewed, and one of another CA', async () => {
    const layout = await prepare(settings())
    const ca = { certPem: (await disk.read(layout.caCert))!, keyPem: (await disk.read(layout.caKey))! }
    const names = { names: ['localhost'], ips: ['127.0.0.1'] }
    const { certPem: ends } = await issueServerCert(ca, names, new Date(NOW + YEAR))
    const kept = async (now: number, pem: string) => {
      await disk.write(layout.serverCert, pem, 0o644)
      await prepare(settings(), now)
      return (await disk.read(layout.serverCert)) === pem
    }
    expect(await kept(NOW, ends)).toBe(true)
    expect(await kept(NOW + YEAR - 30 * 24 * 3_600_000, ends)).toBe(false)
    const stranger = await issueServerCert(await createCa(), names)
    expect(await kept(NOW, stranger.certPem)).toBe(false)
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

  test('the guest of the demo and its key are chosen by flags, and others are refused', () => {
    const given = readUpSettings(['--guest', 'debian', '--ssh-key=/home/me/id.pub'], {}) as Settings
    expect(given).toMatchObject({ guest: 'debian', sshKey: '/home/me/id.pub' })
    expect(readUpSettings([], {})).toMatchObject({ guest: undefined, sshKey: undefined })
    for (const wrong of [
      ['--guest', 'windows'],
      ['--guest'],
      ['--guest', '--no-demo'],
      ['--no-demo', '--guest', 'tiny'],
      ['--renew-tls=1'],
      ['x'],
    ])
      expect(() => readUpSettings(wrong, {}), wrong.join(' ')).toThrow(expect.objectContaining({ code: 'invalid-argument' }))
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
