/**
 * The keys of a site: certificate authority, server certificate, NATS operator and accounts. Made once, kept 0600; a second call
 * changes nothing but a server certificate that is about to end, lacks a name, or is to be renewed.
 */
import { createHash, X509Certificate } from 'node:crypto'
import { hostname, networkInterfaces } from 'node:os'
import {
  accountJwt,
  createCa,
  createSigningKey,
  createSite,
  issueServerCert,
  type NatsIdentity,
  resolverFile,
  type Site,
  serverConfig,
} from '@skerry/bus'
import { hostname as hostnameSchema } from '@skerry/contract'
import type { Files } from '@skerry/host'
import { z } from 'zod'
import { readDocument, writeDocument, writeIfChanged } from '../documents.ts'
import type { Layout } from '../layout.ts'
import { isLoopback, type Settings } from '../settings.ts'
import { applyCaPhase } from './ca-rotation.ts'

const RENEW_BEFORE_MS = 60 * 24 * 3_600_000

const identity = z.object({ publicKey: z.string(), seed: z.string(), jwt: z.string() })
/** `signingKey` is absent in sites of before it. It is the first one; what signs now is the controller's to know. */
const siteFile = z.object({
  operator: identity,
  systemAccount: identity,
  account: identity,
  signingKey: z.object({ publicKey: z.string(), seed: z.string() }).optional(),
})

export interface SitePorts {
  files: Files
  layout: Layout
  settings: Settings
  now: number
}

/** Of what a service reads when it starts: another one, and it must start again. */
export interface Fingerprints {
  nats: string
  controller: string
}

/** Everything that the servers read. */
export async function prepareSite(ports: SitePorts): Promise<Fingerprints> {
  await prepareCertificates(ports)
  const site = await prepareAccounts(ports)
  const { files, layout, settings } = ports
  const config = serverConfig({
    site,
    listen: { host: settings.nats.addr, port: settings.nats.port },
    tls: { certFile: layout.serverCert, keyFile: layout.serverKey, caFile: layout.caCert },
    jetstreamDir: layout.jetstream,
    resolverDir: layout.natsAccounts,
    serverName: settings.siteName,
  })
  await writeIfChanged(files, layout.natsConfig, config, 0o600)
  // the first start of the controller reads it; later it is the account's own password that counts
  if ((await files.read(layout.adminPassword)) === undefined) {
    await files.write(layout.adminPassword, settings.adminPassword, 0o600)
  }
  const certificates = [await files.read(layout.caCert), await files.read(layout.serverCert)]
  return { nats: fingerprint([config, ...certificates]), controller: fingerprint(certificates) }
}

const fingerprint = (texts: readonly (string | undefined)[]) =>
  createHash('sha256').update(JSON.stringify(texts)).digest('hex').slice(0, 16)

async function prepareCertificates({ files, layout, settings, now }: SitePorts): Promise<void> {
  await applyCaPhase({ files, layout })
  const keyPem = await files.read(layout.caKey)
  const certPem = await files.read(layout.caCert)
  const ca = keyPem && certPem ? { keyPem, certPem } : await createCa()
  if (!keyPem || !certPem) {
    await files.write(layout.caKey, ca.keyPem, 0o600)
    await files.write(layout.caCert, ca.certPem, 0o644)
  }
  const names = serverNames(settings)
  const [have, key] = [await files.read(layout.serverCert), await files.read(layout.serverKey)]
  if (have && key && !settings.renewTls && isGood(new X509Certificate(have), { ca: ca.certPem, names, now })) return
  const server = await issueServerCert(ca, names)
  // A crash between the two leaves a pair that doesn't fit, which the next run sees: the certificate is written last.
  await files.remove(layout.serverCert)
  await files.write(layout.serverKey, server.keyPem, 0o600)
  await files.write(layout.serverCert, server.certPem, 0o644)
}

interface Names {
  names: string[]
  ips: string[]
}

function isGood(cert: X509Certificate, want: { ca: string; names: Names; now: number }): boolean {
  const { names, ips } = want.names
  const named = names.every((name) => cert.checkHost(name)) && ips.every((ip) => cert.checkIP(ip))
  const endsIn = Date.parse(cert.validTo) - want.now
  return named && endsIn > RENEW_BEFORE_MS && cert.verify(new X509Certificate(want.ca).publicKey)
}

/** Loopback, what is listened on, and with a wildcard every address of this machine. */
function serverNames({ http, nats }: Settings): Names {
  const listened = [http.addr, nats.addr]
  const everywhere = listened.some((addr) => addr === '0.0.0.0' || addr === '::')
  const own = everywhere ? machineAddresses() : []
  const ips = [...new Set(['127.0.0.1', ...listened.filter((addr) => addr !== '0.0.0.0' && addr !== '::'), ...own])]
  const machine = everywhere && hostnameSchema.safeParse(hostname()).success ? [hostname()] : []
  return { names: [...new Set(['localhost', ...machine])], ips }
}

const machineAddresses = () =>
  Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).filter((i) => !i.internal && i.family === 'IPv4').map((i) => i.address),
  )

/** What agents are told to connect to: an address that other machines reach, where NATS listens beyond loopback. */
export function natsPublicUrl({ nats }: Settings): string {
  const addr = nats.addr === '0.0.0.0' || nats.addr === '::' ? (machineAddresses()[0] ?? '127.0.0.1') : nats.addr
  return `tls://${addr.includes(':') ? `[${addr}]` : addr}:${nats.port}`
}

export function controllerUrl({ http }: Settings): string {
  const local = http.addr === '0.0.0.0' || http.addr === '::' ? '127.0.0.1' : http.addr
  return `${isLoopback(http.addr) ? 'http' : 'https'}://${local.includes(':') ? `[${local}]` : local}:${http.port}`
}

async function prepareAccounts({ files, layout }: SitePorts): Promise<Site> {
  const there = await readDocument(files, layout.natsSite, siteFile)
  const site = there ? await withSigningKey(there) : await createSite()
  if (!there?.signingKey) await writeDocument(files, layout.natsSite, site)
  // Only the first time: afterwards the server keeps what the controller tells it, revoked users too.
  const { name, text } = resolverFile(site)
  const path = `${layout.natsAccounts}/${name}`
  if ((await files.read(path)) === undefined) await files.write(path, text, 0o600)
  return site
}

async function withSigningKey(site: z.infer<typeof siteFile>): Promise<Site> {
  if (site.signingKey) return { ...site, signingKey: site.signingKey }
  const signingKey = createSigningKey()
  const jwt = await accountJwt({
    accountPublicKey: site.account.publicKey,
    operatorSeed: site.operator.seed,
    signingKeys: [signingKey.publicKey],
    revoked: [],
  })
  const account: NatsIdentity = { ...site.account, jwt }
  return { ...site, account, signingKey }
}
