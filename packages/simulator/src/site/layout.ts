/** Where everything of a simulated site lies, below its state folder. Pure. */
import { SIMULATOR_FILE, siteFiles } from '@skerry/contract'
import { z } from 'zod'

export type SimulatedLayout = ReturnType<typeof simulatedLayout>

export function simulatedLayout(stateDir: string) {
  const at = (path: string) => `${stateDir}/${path}`
  return {
    root: stateDir,
    /** Says that the folder is ours, and what else `up` made. */
    record: at('simulated.json'),
    door: at(SIMULATOR_FILE),
    machines: at('machines'),
    natsSite: at(siteFiles.natsSite),
    natsConfig: at('nats/nats-server.conf'),
    natsAccounts: at('nats/accounts'),
    jetstream: at('nats/jetstream'),
    controller: at('controller'),
    adminPassword: at(siteFiles.adminPassword),
    cliCreds: at(siteFiles.operatorCreds),
    children: at('run/children.json'),
    folders: ['', '/nats', '/nats/accounts', '/controller', '/machines', '/ca', '/cli', '/run', '/logs'].map(
      (path) => stateDir + path,
    ),
    log: (name: string) => at(`logs/${name}.log`),
  }
}

/** `simulated.json` */
export const siteRecord = z.object({
  v: z.literal(1),
  httpPort: z.number(),
  natsPort: z.number(),
  context: z.string(),
  /** folder of the command line's contexts in which one of ours was written */
  cliConfig: z.string().nullable(),
  /** what the operator adds to the controller, as absolute paths */
  plugins: z.string().nullable().default(null),
  workflows: z.string().nullable().default(null),
  /** changes with these files; of those that the simulator was last started with */
  extensions: z.string().default(''),
})
export type SiteRecord = z.infer<typeof siteRecord>
