/** Reads load balancers: their folders, their processes and what these run, and the open ports of their routers. Only reads. */
import { X509Certificate } from 'node:crypto'
import { routerNetns, toErrorBody } from '@skerry/contract'
import { elementsIn, type Host, haproxyFiles } from '@skerry/host'
import type { PlanContext, Wanted } from '@skerry/reconcile'
import { z } from 'zod'
import { ROUTER_TABLE, SERVICES } from '../routers/rules.ts'
import type { BalancerHave, Made, RouterView } from './have.ts'
import { serviceOf } from './services.ts'
import { type BalancerSpec, balancerDir, balancersDir, madePath } from './spec.ts'

export interface BalancerPorts {
  host: Host
  /** The agent's own folder. */
  stateDir: string
  /** A certificate with its chain and key, as PEM. Throws `agent-unreachable` while nobody can be asked. */
  certificate(uuid: string): Promise<string>
}

const UUID = /^[0-9a-f]{32}$/
const made = z.object({ routerUuid: z.string().regex(UUID), ip: z.ipv4() })

export async function observe(ports: BalancerPorts, context: Pick<PlanContext, 'wantedOf'>): Promise<BalancerHave[]> {
  const { host, stateDir } = ports
  const wanted = new Map((context.wantedOf('balancer') as readonly Wanted<BalancerSpec>[]).map((w) => [w.uuid, w.spec]))
  const folders = ((await host.files.list(balancersDir(stateDir))) ?? []).filter((name) => UUID.test(name))
  const uuids = [...new Set([...wanted.keys(), ...folders])].sort()
  if (uuids.length === 0) return []
  const found = await Promise.all(uuids.map((uuid) => readBalancer(ports, uuid)))
  const routersOf = (have: Omit<BalancerHave, 'routers'>) => [
    ...new Set([wanted.get(have.uuid)?.routerUuid, have.made?.routerUuid].filter((uuid) => uuid !== undefined)),
  ]
  const views = new Map<string, RouterView>()
  const namespaces = new Set(await host.ip.netns.list())
  for (const uuid of new Set(found.flatMap(routersOf))) views.set(uuid, await readRouter(host, uuid, namespaces))
  return found.map((have) => ({ ...have, routers: routersOf(have).map((uuid) => views.get(uuid)!) }))
}

async function readBalancer({ host, stateDir }: BalancerPorts, uuid: string): Promise<Omit<BalancerHave, 'routers'>> {
  const { files, haproxy } = host
  const dir = balancerDir(stateDir, uuid)
  const names = await files.list(dir)
  const [running, conf, note] = await Promise.all([
    haproxy.running(dir),
    files.read(`${dir}/${haproxyFiles.conf}`),
    files.read(madePath(dir)),
  ])
  const lists: Record<string, string> = {}
  const certificates: Record<string, string> = {}
  for (const name of names ?? []) {
    if (name.endsWith('.lst')) lists[name] = (await files.read(`${dir}/${name}`)) ?? ''
    const listener = /^([0-9a-f]{32})\.pem$/.exec(name)?.[1]
    if (listener) certificates[listener] = fingerprintOf(await files.read(`${dir}/${name}`))
  }
  return {
    ...{ uuid, folder: names !== undefined, made: madeOf(note), pid: running?.pid ?? null, conf: conf ?? null },
    live: running ? ((await haproxy.at(dir).view()) ?? null) : null,
    ...{ lists, certificates },
  }
}

async function readRouter(host: Host, uuid: string, namespaces: ReadonlySet<string>): Promise<RouterView> {
  const netns = routerNetns(uuid)
  const nothing = { uuid, netns: namespaces.has(netns), unseen: null, pids: [], services: null }
  if (!nothing.netns) return nothing
  try {
    const [pids, table] = await Promise.all([host.ip.netns.pids(netns), host.nft.at(netns).table(ROUTER_TABLE)])
    const services = table && elementsIn(table, SERVICES).flatMap((element) => serviceOf(element) ?? [])
    return { ...nothing, pids, services: services ?? null }
  } catch (error) {
    // one that can't be read (removed meanwhile, broken) must not hide the others
    return { ...nothing, unseen: toErrorBody(error) }
  }
}

/** A note that says nothing is as none: it is written again. */
function madeOf(text: string | undefined): Made | null {
  try {
    return made.safeParse(JSON.parse(text ?? '')).data ?? null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

/** SHA-256 of the first certificate in it; empty: there is none. */
export function fingerprintOf(pem: string | undefined): string {
  try {
    return new X509Certificate(pem ?? '').fingerprint256.replaceAll(':', '').toLowerCase()
  } catch {
    return ''
  }
}
