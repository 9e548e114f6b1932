/** A simulated site for a benchmark: started as `up --simulate` starts it, filled with VMs, ended with all that it kept. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createClient } from '../../../packages/sdk/src/index.ts'
import { freePort, type Usage, usageOf } from './process.ts'

export interface SiteOptions {
  root: string
  /** of this site alone */
  stateDir: string
  hosts: number
  /** of this process */
  env: NodeJS.ProcessEnv
}

export interface Site {
  port: number
  /** seconds that `up` took */
  upSeconds: number
  client: ReturnType<typeof createClient>
  session: string
  /** user + system of each process so far, in ms */
  cpuMs(): Record<Part, number>
  rssBytes(): Record<Part, number>
  natsUrl: string
  end(): void
}

export const PARTS = ['controller', 'simulator', 'nats'] as const
export type Part = (typeof PARTS)[number]

export async function startSite({ root, stateDir, hosts, env: given }: SiteOptions): Promise<Site> {
  const port = await freePort()
  const natsAddress = `127.0.0.1:${await freePort()}`
  const env = {
    ...given,
    SKERRY_STATE_DIR: stateDir,
    XDG_CONFIG_HOME: `${stateDir}-config`,
    SKERRY_HTTP_PORT: String(port),
    SKERRY_NATS_ADDR: natsAddress,
  }
  const end = () => {
    process.off('exit', end)
    execFileSync('scripts/down', ['--purge'], { cwd: root, env, stdio: ['ignore', 'ignore', 'inherit'] })
  }
  process.prependOnceListener('exit', end)
  const began = performance.now()
  execFileSync('scripts/up', ['--simulate', String(hosts)], { cwd: root, env, stdio: ['ignore', 'ignore', 'inherit'] })
  const upSeconds = (performance.now() - began) / 1000
  try {
    const client = createClient({ baseUrl: `http://127.0.0.1:${port}` })
    const { uuid } = await client.login('admin', 'password')
    const pids = pidsOf(stateDir)
    const of = (field: keyof Usage) => () => ({
      controller: usageOf(pids.controller)[field],
      simulator: usageOf(pids.simulator)[field],
      nats: usageOf(pids.nats)[field],
    })
    const natsUrl = `nats://${natsAddress}`
    return { port, upSeconds, client, session: uuid, cpuMs: of('cpuMs'), rssBytes: of('rssBytes'), natsUrl, end }
  } catch (error) {
    end()
    throw error
  }
}

/** The simulator writes down its children in the order of their starts: nats-server, then the controller. It is their parent. */
function pidsOf(stateDir: string): Record<Part, number> {
  const [nats, controller] = JSON.parse(readFileSync(join(stateDir, 'run/children.json'), 'utf8')) as { pid: number }[]
  if (!nats || !controller) throw new Error(`the simulator of ${stateDir} has not both of its children`)
  const stat = readFileSync(`/proc/${controller.pid}/stat`, 'latin1')
  const simulator = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  return { nats: nats.pid, controller: controller.pid, simulator }
}
