/** Where everything of a site lies, below its state folder. Pure. */
import { siteFiles } from '@skerry/contract'

export type Layout = ReturnType<typeof layoutOf>

export const AGENTS = ['kvm', 'storage', 'vrouter'] as const
export type AgentName = (typeof AGENTS)[number]

export function layoutOf(stateDir: string) {
  const at = (path: string) => `${stateDir}/${path}`
  return {
    root: stateDir,
    /** What `up` remembers of the machine and of itself (record.ts). */
    record: at('up.json'),
    /** VMs that `down` stopped, for the next `up` to start. */
    stopped: at('stopped-by-down.json'),
    /** Bundles that services run from: the clone may go or change under them. */
    app: at('app'),
    caCert: at(siteFiles.caCert),
    caKey: at(siteFiles.caKey),
    /** While the authority is being replaced. */
    caRotation: at('ca/rotation.json'),
    serverCert: at('ca/server.pem'),
    serverKey: at('ca/server.key'),
    natsSite: at(siteFiles.natsSite),
    natsConfig: at('nats/nats-server.conf'),
    natsAccounts: at('nats/accounts'),
    jetstream: at('nats/jetstream'),
    controller: at('controller'),
    adminPassword: at(siteFiles.adminPassword),
    cliCreds: at(siteFiles.operatorCreds),
    /** That the demo's guests take; its public half is beside it, in `.pub`. */
    sshKey: at('cli/id_ed25519'),
    agent: (name: AgentName) => at(`agents/${name}`),
    token: (name: AgentName) => at(`run/token-${name}`),
    libvirt: at('libvirt'),
    primary: at('primary'),
    images: at('images'),
    cache: at('cache'),
    run: at('run'),
    kvmProbe: at('run/kvm.json'),
    services: at('run/services.json'),
    supervisorSocket: at('run/supervisor.sock'),
    logs: at('logs'),
    log: (name: string) => at(`logs/${name}.log`),
  }
}

/**
 * Folders with their modes. Who isn't root can pass through, but not look, where a qemu or dnsmasq that gave up root must reach
 * its files; secrets below are 0600 by themselves or in folders that are closed.
 */
export function folders(layout: Layout): { path: string; mode: number }[] {
  const { root } = layout
  const passable = [
    root,
    layout.primary,
    layout.images,
    layout.cache,
    `${root}/agents`,
    ...AGENTS.map((name) => layout.agent(name)),
  ]
  const closed = ['ca', 'nats', 'nats/accounts', 'controller', 'cli', 'run', 'logs', 'libvirt', 'app'].map(
    (name) => `${root}/${name}`,
  )
  return [...passable.map((path) => ({ path, mode: 0o711 })), ...closed.map((path) => ({ path, mode: 0o700 }))]
}
