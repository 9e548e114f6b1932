/** The steps of `down`: end what is ours; with `--purge`, remove it. Each accepts that there is nothing to do. */
import { HOST_TABLE } from '@skerry/agent-vrouter/build'
import { purgeVrouter } from '@skerry/agent-vrouter/purge'
import type { Host } from '@skerry/host'
import { UnreachableError } from '@skerry/sdk'
import { stopGuests } from './demo/stopped.ts'
import type { Layout } from './layout.ts'
import { logIn } from './login.ts'
import { removeContext } from './purge/context.ts'
import { endQemu, libvirtAway, removeDomains } from './purge/guests.ts'
import { endRouterDaemons, removeLinks } from './purge/links.ts'
import type { SiteRecord } from './record.ts'
import { installedBundle } from './services/bundles.ts'
import { SYSTEM_URI } from './services/libvirt.ts'
import { type ServiceManager, supervisorManager } from './services/manager.ts'
import { systemdManager } from './services/systemd.ts'
import type { DownSettings } from './settings.ts'
import { contextName } from './steps/person.ts'

export interface DownPorts {
  settings: DownSettings
  layout: Layout
  host: Host
  node: string
  record: SiteRecord
  /** Beside the one of the first start. */
  passwords: readonly string[]
  sleep(ms: number): Promise<void>
}

export type DownStep = (down: DownPorts, say: (text: string) => void) => Promise<void>

async function managerOf({ host, layout, node, sleep, record, settings }: DownPorts): Promise<ServiceManager> {
  const ports = { exec: host.exec, files: host.files, processes: host.process, layout, node, sleep }
  if (record.manager === 'systemd') return systemdManager(ports, settings.siteName)
  return supervisorManager(ports, await installedBundle(host.files, layout, 'supervisor'))
}

/** Through the API where it answers, so that they are started again by the next `up`; in any case no guest runs on. */
export const endGuests: DownStep = async (down, say) => {
  const { host, layout, record, passwords, settings } = down
  if (!settings.purge) {
    try {
      const session = await logIn({ files: host.files, layout, url: record.url }, passwords)
      await stopGuests({ files: host.files, layout, client: session.client }, record.managementIp, say)
      await session.end()
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error
      say('the controller does not answer: guests are asked by signal')
    }
  }
  const cut = await endQemu(host.process, layout.root)
  if (cut > 0) say(`${cut} guests ended by signal`)
}

export const endServices: DownStep = async (down) => (await managerOf(down)).stop()

export const endDaemons: DownStep = async ({ host, layout }, say) => {
  const ended = await endRouterDaemons(host, layout)
  if (ended > 0) say(`${ended} daemons of routers ended`)
}

/** Of the machine's own libvirtd; one of ours goes with the state folder. */
export const removeOurDomains: DownStep = async ({ host, layout, record }, say) => {
  if (record.libvirt === 'own') return
  try {
    for (const name of await removeDomains(host.exec, SYSTEM_URI, layout.root)) say(`removed ${name}`)
  } catch (error) {
    throw libvirtAway(error)
  }
}

export const removeRouters: DownStep = async ({ host, layout }, say) => {
  for (const thing of await purgeVrouter({ host, stateDir: layout.agent('vrouter'), hostTable: HOST_TABLE }))
    say(`removed ${thing}`)
}

export const removeBridges: DownStep = async ({ host, layout }, say) => {
  for (const name of await removeLinks(host, layout)) say(`removed ${name}`)
}

export const removeUnits: DownStep = async (down) => (await managerOf(down)).remove()

export const forgetContext: DownStep = async ({ host, record }) => {
  if (record.cliConfig) await removeContext(host.files, record.cliConfig, contextName(record.siteName))
}

/** Last: everything before it reads it. */
export const removeState: DownStep = async ({ host, layout }) => host.files.remove(layout.root)
