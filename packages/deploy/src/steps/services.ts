/** Starts what isn't running, in the order in which one needs the other, and enrols the agents. */
import { SkerryError } from '@skerry/contract'
import { fetchTrusting } from '@skerry/sdk'
import { AGENTS, type AgentName } from '../layout.ts'
import { logIn } from '../login.ts'
import { removeOldBundles } from '../services/bundles.ts'
import { libvirtAnswers } from '../services/libvirt.ts'
import { allServices, coreServices, type PlanInputs } from '../services/plan.ts'
import { controllerUrl } from '../site/secrets.ts'
import { logTail, MANAGEMENT_IP, need, type Say, type Step, type Up, waitUntil } from './state.ts'

const READY_MS = 60_000

const planInputs = (up: Up): PlanInputs => ({
  settings: up.settings,
  layout: up.layout,
  node: up.node,
  bundles: need(up, 'bundles'),
  fingerprints: need(up, 'fingerprints'),
  extensions: need(up, 'record').extensions,
  libvirt: need(up, 'libvirt'),
  domainType: need(up, 'kvm').domainType,
  managementIp: MANAGEMENT_IP,
})

export const startCore: Step = async (up, say) => {
  await need(up, 'manager').apply(coreServices(planInputs(up)), 'keep')
  say('waits for libvirt')
  const { uri } = need(up, 'libvirt')
  await waitUntil(up, () => libvirtAnswers(up.host.exec, uri), { timeoutMs: READY_MS, why: () => notReady(up, 'libvirtd') })
  say('waits for the controller')
  const url = `${controllerUrl(up.settings)}/readyz`
  const ca = await caOf(up)
  const ask = ca ? fetchTrusting(ca) : fetch
  const ready = () =>
    ask(url, { signal: AbortSignal.timeout(5_000) }).then(
      (response) => response.ok,
      () => false, // not listening yet
    )
  await waitUntil(up, ready, { timeoutMs: READY_MS, why: () => notReady(up, 'controller') })
}

/** PEM, where the API speaks TLS. */
async function caOf(up: Up): Promise<string | undefined> {
  return controllerUrl(up.settings).startsWith('https') ? up.host.files.read(up.layout.caCert) : undefined
}

async function notReady(up: Up, service: string): Promise<SkerryError> {
  const status = (await need(up, 'manager').status()).find(({ name }) => name === service)
  const how = status ? `${status.state}${status.lastExit ? `, last ended: ${status.lastExit}` : ''}` : 'not ours'
  const log = await logTail(up, service)
  return new SkerryError('not-ready', `${service} is not ready (${how})`, { remedy: `its log is ${up.layout.log(service)}`, log })
}

export const openSession: Step = async (up) => {
  const { settings, host, layout } = up
  const { client, end } = await logIn({ files: host.files, layout, url: controllerUrl(settings) }, [settings.adminPassword])
  up.found.client = client
  up.found.endSession = end
}

export const startAgents: Step = async (up, say) => {
  const { layout, host } = up
  const missing: AgentName[] = []
  for (const name of AGENTS) if (!(await isEnrolled(up, name))) missing.push(name)
  for (const name of missing) {
    const { token } = await need(up, 'client').call('CreateAgentToken', {})
    await host.files.write(layout.token(name), String(token), 0o600)
  }
  await need(up, 'manager').apply(allServices(planInputs(up)), 'end')
  say('waits for the agents')
  await waitForAgents(up, say)
  for (const name of missing) await host.files.remove(layout.token(name)) // spent
  await removeOldBundles(host.files, layout, need(up, 'bundles'))
}

async function isEnrolled(up: Up, name: AgentName): Promise<boolean> {
  if ((await up.host.files.stat(`${up.layout.agent(name)}/identity.json`)) === undefined) return false
  return (await agentsOf(up)).some((agent) => agent['kind'] === name)
}

async function agentsOf(up: Up) {
  return (await need(up, 'client').query('agent', { q: [`managementIp=${MANAGEMENT_IP}`] })).inventories
}

async function waitForAgents(up: Up, say: Say): Promise<void> {
  let absent: readonly string[] = AGENTS
  const connected = async () => {
    const agents = await agentsOf(up)
    absent = AGENTS.filter((name) => !agents.some((agent) => agent['kind'] === name && agent['status'] === 'Connected'))
    if (absent.length > 0) say(`waits for ${absent.map((name) => `agent-${name}`).join(', ')}`)
    return absent.length === 0
  }
  await waitUntil(up, connected, { timeoutMs: READY_MS, why: () => notReady(up, `agent-${absent[0]}`) })
}
