/** The programs of a site and their arguments. Pure: everything comes in. */
import type { Extensions } from '@skerry/host'
import type { AgentName, Layout } from '../layout.ts'
import { AGENTS } from '../layout.ts'
import { isLoopback, type Settings } from '../settings.ts'
import { controllerUrl, type Fingerprints, natsPublicUrl } from '../site/secrets.ts'
import type { ServiceSpec } from './spec.ts'

const STOP_MS = 15_000

export interface PlanInputs {
  settings: Settings
  layout: Layout
  /** Absolute path of node. */
  node: string
  /** Folder of each installed bundle. */
  bundles: Readonly<Record<string, string>>
  /** Change with the files that a service reads only when it starts; a service is started again when its own does. */
  fingerprints: Fingerprints
  /** of the controller: absolute paths */
  extensions: Extensions
  libvirt: { uri: string; services: readonly ServiceSpec[] }
  domainType: 'kvm' | 'qemu'
  /** By which the controller knows this machine. */
  managementIp: string
}

/** What must run before agents can enrol. */
export function coreServices(inputs: PlanInputs): ServiceSpec[] {
  return [...inputs.libvirt.services, nats(inputs), controller(inputs)]
}

export function allServices(inputs: PlanInputs): ServiceSpec[] {
  return [...coreServices(inputs), ...AGENTS.map((name) => agent(name, inputs))]
}

function nats({ layout, fingerprints }: PlanInputs): ServiceSpec {
  const env = { SKERRY_FINGERPRINT: fingerprints.nats }
  return service('nats', layout, { argv: ['nats-server', '-c', layout.natsConfig], env, cwd: layout.root })
}

function controller({ settings, layout, node, bundles, fingerprints, extensions }: PlanInputs): ServiceSpec {
  const tls = isLoopback(settings.http.addr) ? [] : ['--http-cert', layout.serverCert, '--http-key', layout.serverKey]
  const argv = [
    ...[node, `${bundles['controller']}/main.js`, '--state-dir', layout.controller],
    ...['--http-addr', settings.http.addr, '--http-port', String(settings.http.port), ...tls],
    ...['--nats-url', natsPublicUrl(settings), '--nats-public-url', natsPublicUrl(settings)],
    ...['--nats-ca', layout.caCert, '--nats-site', layout.natsSite],
    ...['--admin-password-file', layout.adminPassword],
    ...(extensions.plugins === null ? [] : ['--plugins', extensions.plugins]),
    ...(extensions.workflows === null ? [] : ['--workflows', extensions.workflows]),
  ]
  return service('controller', layout, { argv, env: { SKERRY_FINGERPRINT: fingerprints.controller }, cwd: layout.controller })
}

function agent(name: AgentName, { settings, layout, node, bundles, libvirt, domainType, managementIp }: PlanInputs): ServiceSpec {
  const stateDir = layout.agent(name)
  const ca = isLoopback(settings.http.addr) ? [] : ['--ca-file', layout.caCert]
  const argv = [
    ...[node, `${bundles[`agent-${name}`]}/main.js`, '--state-dir', stateDir, '--controller', controllerUrl(settings), ...ca],
    ...['--token-file', layout.token(name), '--management-ip', managementIp],
  ]
  const env: Record<string, string> = name === 'kvm' ? { SKERRY_LIBVIRT_URI: libvirt.uri, SKERRY_DOMAIN_TYPE: domainType } : {}
  return service(`agent-${name}`, layout, { argv, env, cwd: stateDir })
}

function service(name: string, layout: Layout, o: { argv: string[]; env?: Record<string, string>; cwd: string }): ServiceSpec {
  return { name, argv: o.argv, env: o.env ?? {}, cwd: o.cwd, logFile: layout.log(name), stopTimeoutMs: STOP_MS }
}
