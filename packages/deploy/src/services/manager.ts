/** Who keeps services running: systemd where it is process 1, else our supervisor. */
import { SkerryError } from '@skerry/contract'
import type { Exec, Files, Processes } from '@skerry/host'
import { readDocument, writeIfChanged } from '../documents.ts'
import type { Layout } from '../layout.ts'
import { askControl, type Request } from '../supervisor/control.ts'
import { findRecorded, pidPath } from '../supervisor/pid-file.ts'
import type { ServiceSpec, ServiceStatus } from './spec.ts'
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
  processes: Processes
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
      await endOlder(ports, bundle)
      if ((await ask({ verb: 'reload' })) === undefined) await startSupervisor(ports, bundle)
    },
    async status() {
      return (await ask({ verb: 'status' }))?.services ?? leftRunning(ports)
    },
    async stop() {
      if ((await ask({ verb: 'status' })) === undefined) {
        // the supervisor was killed: one in its place adopts what it left, to end it
        if (bundle === undefined || (await files.read(layout.services)) === undefined) return
        await startSupervisor(ports, bundle)
      }
      await ask({ verb: 'stop' })
      await gone(ports)
    },
    remove: async () => undefined,
  }
}

/** What still runs of a supervisor that was killed. */
async function leftRunning({ files, layout, processes }: ManagerPorts): Promise<ServiceStatus[]> {
  const known = (await readDocument(files, layout.services, servicesFile))?.services ?? []
  const found = await Promise.all(
    known.map(async ({ name }): Promise<ServiceStatus[]> => {
      const there = await findRecorded({ files, processes }, pidPath(layout.run, name))
      return there ? [{ name, state: 'running', pid: there.pid, restarts: 0, lastExit: null }] : []
    }),
  )
  return found.flat()
}

/** A supervisor of another version goes, alone; the one that follows adopts its services. */
async function endOlder({ layout, processes, sleep }: ManagerPorts, bundle: string | undefined): Promise<void> {
  const there = await askControl(layout.supervisorSocket, { verb: 'status' }, ANSWER_MS)
  const program = there && (await processes.get(there.pid))?.cmdline[1]
  if (program === undefined || bundle === undefined || program === `${bundle}/main.js`) return
  await askControl(layout.supervisorSocket, { verb: 'leave' }, ANSWER_MS)
  await gone({ layout, sleep })
}

async function gone({ layout, sleep }: Pick<ManagerPorts, 'layout' | 'sleep'>): Promise<void> {
  const answers = () => askControl(layout.supervisorSocket, { verb: 'status' }, ANSWER_MS)
  for (let waited = 0; waited < START_MS && (await answers()) !== undefined; waited += 50) await sleep(50)
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
