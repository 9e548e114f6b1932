/** Keys and configuration of a simulated site's nats-server: users and rights as on every site, but on loopback and without TLS. */
import { createSite, renderConf, resolverFile, type Site, serverSettings } from '@skerry/bus'
import type { Files } from '@skerry/host'
import type { SimulatedLayout } from './layout.ts'

/** Keys are made once. */
export async function prepareNats(files: Files, layout: SimulatedLayout, port: number): Promise<void> {
  const known = await files.read(layout.natsSite)
  const site = known === undefined ? await createSite() : (JSON.parse(known) as Site) // our own file, 0600
  if (known === undefined) await files.write(layout.natsSite, JSON.stringify(site), 0o600)
  const { name, text } = resolverFile(site)
  // Only the first time: afterwards the server keeps what the controller tells it.
  const path = `${layout.natsAccounts}/${name}`
  if ((await files.read(path)) === undefined) await files.write(path, text, 0o600)
  const settings = serverSettings({
    site,
    listen: { host: '127.0.0.1', port },
    tls: { certFile: '', keyFile: '', caFile: '' },
    jetstreamDir: layout.jetstream,
    resolverDir: layout.natsAccounts,
    serverName: 'skerry-simulated',
  })
  await files.write(layout.natsConfig, renderConf({ ...settings, tls: undefined }), 0o600)
}
