/** Who keeps services running: systemd where it is process 1, else our supervisor. */
import { SkerryError } from '@skerry/contract'
import type { Exec, Files } from '@skerry/host'
import { writeIfChanged } from '../documents.ts'
import type { Layout } from '../layout.ts'
import { askControl, type Request } from '../supervisor/control.ts'
import type { ServiceSpec, ServiceStatus } from './spec.ts'
import { readDocument } from '../documents.ts'
import { servicesFile } from './spec.ts'

export interface ServiceManager {
  /** Makes these run as given; what runs as given already is left alone. `others: 'keep'` leaves other services of the site. */
  apply(services: readonly ServiceSpec[], others: 'keep' | 'end'): Promise<void>
  /** Empty: nothing of this site is managed now. */
  status(): Promise<ServiceStatus[]>
  /** Ends all services of the site, and what keeps them. */
  stop(): Promise<void>
  /** After `stop`: removes what it left outside the state folder. */
  remove(): Promise<void>
}

export interface ManagerPorts {
  exec: Exec
  files: Files
  layout: Layout
  node: string
  sleep(ms: number): Promise<void>
}

const ANSWER_MS = 120_000
const START_MS = 15_000

/** `bundle`: folder of the supervisor's bundle; not needed to stop one. */
export function supervisorManager(ports: ManagerPorts, bundle: string | undefined): ServiceManager {
  const { layout, files } = ports
  const ask = (asked: Request) => askControl(layout.supervisorSocket, asked, ANSWER_MS)
  return {
    async apply(services, others) {
      const known = (await readDocument(files, layout.services, servicesFile))?.services ?? []
      const names = new Set(services.map(({ name }) => name))
      const rest = others === 'keep' ? known.filter(({ name }) => !names.has(name)) : []
      const text = `${JSON.stringify({ services: [...services, ...rest] }, null, 2)}\n`
      await writeIfChanged(files, layout.services, text, 0o600)
      if ((await ask({ verb: 'reload' })) === undefined) await startSupervisor(ports, bundle)
    },
    async status() {
      return (await ask({ verb: 'status' }))?.services ?? []
    },
    async stop() {
      if ((await ask({ verb: 'stop' })) !== undefined) return
      // the supervisor was killed: one in its place adopts what it left, to end it
      if (bundle === undefined || (await files.read(layout.services)) === undefined) return
      await startSupervisor(ports, bundle)
      await ask({ verb: 'stop' })
    },
    remove: async () => undefined,
  }
}

async function startSupervisor(ports: ManagerPorts, bundle: string | undefined): Promise<void> {
  const { exec, layout, node, sleep } = ports
  if (bundle === undefined) throw new SkerryError('internal', 'the supervisor is not installed', { app: layout.app })
  const logFile = layout.log('supervisor')
  await exec.spawn(node, [`${bundle}/main.js`, layout.run], { logFile, cwd: '/' })
  for (let waited = 0; waited < START_MS; waited += 50) {
    // its first reload is under way when it answers; ours queues behind it
    if (await askControl(layout.supervisorSocket, { verb: 'reload' }, ANSWER_MS)) return
    await sleep(50)
  }
  throw new SkerryError('host-command-failed', 'the supervisor did not start', { remedy: `look at ${logFile}` })
}
