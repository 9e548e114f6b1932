/** What a new site starts with: the administrator, the built-in network service provider, and the settings. */

import { createHash } from 'node:crypto'
import { ADMIN_ACCOUNT, FLAT_PROVIDER, type Op, type Row, VROUTER_PROVIDER } from '@skerry/contract'
import { seededConfigs } from './configs/rows.ts'
import { seededTemplates } from './configs/templates.ts'
import type { State } from './engine/state.ts'
import { checkPassword, hashPassword } from './identity/password.ts'

export const DEFAULT_PASSWORD = 'password'

/** A full disk must not keep a controller from starting. */
const STARTING = { actor: 'system', urgent: true }

/** Who can do what for a network: zstack-core §2.8. */
const PROVIDERS = [
  {
    uuid: VROUTER_PROVIDER,
    name: 'vrouter',
    type: 'vrouter',
    description: 'agent-vrouter: a router in a network namespace',
    services: ['DHCP', 'DNS', 'SNAT', 'Eip', 'PortForwarding', 'LoadBalancer'],
  },
  {
    uuid: FLAT_PROVIDER,
    name: 'Flat Network Service Provider',
    type: 'Flat',
    description: 'agent-vrouter on each host, for the guests of that host',
    services: ['DHCP', 'DNS', 'HostRoute', 'Userdata', 'Eip'],
  },
]

/** What clients send for a password. */
export const wirePassword = (password: string) => createHash('sha512').update(password).digest('hex')

/** Makes what is missing; with `password` the administrator gets that one. Repeating it changes nothing. `hash`: what is kept of a password. */
export async function seed(state: State, now: number, password: string | undefined, hash = hashPassword): Promise<void> {
  const ops: Op[] = []
  const base = { description: null, createDate: now, lastOpDate: now }
  const admin = state.graph.get('account', ADMIN_ACCOUNT)
  const wanted = wirePassword(password ?? DEFAULT_PASSWORD)
  if (!admin)
    ops.push({
      o: 'put',
      t: 'account',
      k: ADMIN_ACCOUNT,
      v: { uuid: ADMIN_ACCOUNT, name: 'admin', ...base, type: 'SystemAdmin', passwordHash: await hash(wanted) },
    })
  else if (password !== undefined && !(await checkPassword(wanted, admin['passwordHash'] as string)))
    ops.push({ o: 'set', t: 'account', k: ADMIN_ACCOUNT, v: { passwordHash: await hash(wanted), lastOpDate: now } })
  ops.push(...providers(state, base))
  ops.push(...seededConfigs(state.graph, now), ...seededTemplates(state.graph, now))
  if (ops.length > 0) await state.commit({ ops }, STARTING)
}

function providers({ graph }: State, base: Row): Op[] {
  return PROVIDERS.flatMap(({ services, ...provider }): Op[] => {
    const { uuid: k } = provider
    const row = graph.get('networkServiceProvider', k)
    if (!row) return [{ o: 'put', t: 'networkServiceProvider', k, v: { ...base, ...provider, networkServiceTypes: services } }]
    // made by an older version, which could do less
    const served = row['networkServiceTypes'] as string[]
    const missing = services.filter((service) => !served.includes(service))
    if (missing.length === 0) return []
    return [{ o: 'set', t: 'networkServiceProvider', k, v: { networkServiceTypes: [...served, ...missing] } }]
  })
}

/** This controller's own row. `heartBeat` says when it started: what moves by itself never enters the log (DESIGN §3). */
export async function seedNode(state: State, now: number, node: { uuid: string; hostName: string }): Promise<void> {
  const { uuid, hostName } = node
  const dates = { createDate: now, lastOpDate: now, joinDate: now, heartBeat: now }
  const op: Op = state.graph.get('managementNode', uuid)
    ? { o: 'set', t: 'managementNode', k: uuid, v: { hostName, heartBeat: now } }
    : { o: 'put', t: 'managementNode', k: uuid, v: { uuid, name: hostName, description: null, hostName, ...dates } }
  await state.commit({ ops: [op] }, STARTING)
}

/** Does the administrator still have the password that everybody knows? */
export async function hasDefaultPassword(state: State): Promise<boolean> {
  const kept = state.graph.get('account', ADMIN_ACCOUNT)?.['passwordHash'] as string | undefined
  // Nobody can log in over a log that is damaged from its beginning.
  return kept !== undefined && checkPassword(wirePassword(DEFAULT_PASSWORD), kept)
}
