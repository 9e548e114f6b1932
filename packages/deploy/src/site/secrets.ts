/**
 * The keys of a site: certificate authority, server certificate, NATS accounts and users. Made once, kept 0600; a second call
 * changes nothing but a server certificate that is about to end or lacks a name.
 */
import { hostname, networkInterfaces } from 'node:os'
import { createCa, createSite, credsFile, issueServerCert, issueUser, type Site, serverConfig } from '@skerry/bus'
import { hostname as hostnameSchema } from '@skerry/contract'
import type { Files } from '@skerry/host'
import { z } from 'zod'
import { readDocument, writeDocument, writeIfChanged } from '../documents.ts'
import type { Layout } from '../layout.ts'
import { isLoopback, type Settings } from '../settings.ts'

const RENEW_BEFORE_MS = 60 * 24 * 3_600_000
const CERT_MS = 2 * 365 * 24 * 3_600_000

const identity = z.object({ publicKey: z.string(), seed: z.string(), jwt: z.string() })
const siteFile = z.object({ operator: identity, systemAccount: identity, account: identity })
const namesFile = z.object({ names: z.array(z.string()), ips: z.array(z.string()), endsAt: z.number() })

export interface SitePorts {
  files: Files
  layout: Layout
  settings: Settings
  now: number
}

/** Everything that the servers read. */
export async function prepareSite(ports: SitePorts): Promise<void> {
  await prepareCertificates(ports)
  const site = await prepareAccounts(ports)
  const { files, layout, settings } = ports
  const config = serverConfig({
    site,
    listen: { host: settings.nats.addr, port: settings.nats.port },
    tls: { certFile: layout.serverCert, keyFile: layout.serverKey, caFile: layout.caCert },
    jetstreamDir: layout.jetstream,
    serverName: settings.siteName,
  })
  await writeIfChanged(files, layout.natsConfig, config, 0o600)
  // the first start of the controller reads it; later it is the account's own password that counts
  if ((await files.read(layout.adminPassword)) === undefined) {
    await files.write(layout.adminPassword, settings.adminPassword, 0o600)
  }
}

async function prepareCertificates({ files, layout, settings, now }: SitePorts): Promise<void> {
  const keyPem = await files.read(layout.caKey)
  const certPem = await files.read(layout.caCert)
  const ca = keyPem && certPem ? { keyPem, certPem } : await createCa({ at: new Date(now) })
  if (!keyPem || !certPem) {
    await files.write(layout.caKey, ca.keyPem, 0o600)
    await files.write(layout.caCert, ca.certPem, 0o644)
  }
  const names = serverNames(settings)
  const have = await readDocument(files, layout.serverNames, namesFile)
  const covered = have && [...names.names, ...names.ips].every((name) => have.names.includes(name) || have.ips.includes(name))
  if (covered && keyPem && have.endsAt - now > RENEW_BEFORE_MS) return
  const server = await issueServerCert(ca, names, new Date(now))
  await files.write(layout.serverKey, server.keyPem, 0o600)
  await files.write(layout.serverCert, server.certPem, 0o644)
  await writeDocument(files, layout.serverNames, { ...names, endsAt: now + CERT_MS })
}

/** Loopback, what is listened on, and with a wildcard every address of this machine. */
function serverNames({ http, nats }: Settings): { names: string[]; ips: string[] } {
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
  const site = there ?? (await createSite())
  if (!there) await writeDocument(files, layout.natsSite, site)
  await writeIfChanged(files, layout.natsAccountSeed, site.account.seed, 0o600)
  const accountSeed = site.account.seed
  if (!there || (await files.read(layout.controllerCreds)) === undefined) {
    const { jwt, seed } = await issueUser({ kind: 'controller', accountSeed })
    await writeDocument(files, layout.controllerCreds, { jwt, seed })
  }
  if (!there || (await files.read(layout.cliCreds)) === undefined) {
    const { jwt, seed } = await issueUser({ kind: 'operator-cli', accountSeed })
    if (seed) await files.write(layout.cliCreds, credsFile({ jwt, seed }), 0o600)
  }
  return site
}
