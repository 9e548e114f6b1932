/** Services as systemd units: `skerry-<service>.service`. Only units that carry our first line are ever written or removed. */
import { SkerryError } from '@skerry/contract'
import { writeIfChanged } from '../documents.ts'
import type { ManagerPorts, ServiceManager } from './manager.ts'
import type { ServiceSpec, ServiceStatus } from './spec.ts'

const UNITS = '/etc/systemd/system'
const TIMEOUT_MS = 60_000
const markOf = (siteName: string) => `# Made by Skerry's scripts/up for the site ${siteName}; scripts/down --purge removes it.`

export const unitName = (siteName: string, service: string) => `${siteName}-${service}.service`

/** The text of a unit. KillMode=process: what an agent started (dnsmasq, its helpers' guests) outlives the agent. */
export function unitText(siteName: string, spec: ServiceSpec): string {
  return [
    markOf(siteName),
    '[Unit]',
    `Description=Skerry ${spec.name}`,
    // Stopped in the reverse order: agents end before libvirt-guests shuts guests down, and take none for gone by its own will.
    'After=network-online.target libvirtd.service libvirt-guests.service',
    'Wants=network-online.target',
    'StartLimitIntervalSec=0',
    '',
    '[Service]',
    `ExecStart=${spec.argv.map(quote).join(' ')}`,
    ...Object.entries(spec.env).map(([key, value]) => `Environment=${quote(`${key}=${value}`)}`),
    `WorkingDirectory=${spec.cwd.replaceAll('%', '%%')}`,
    `StandardOutput=append:${spec.logFile.replaceAll('%', '%%')}`,
    'StandardError=inherit',
    'Restart=always',
    'RestartSec=1',
    'KillMode=process',
    `TimeoutStopSec=${Math.ceil(spec.stopTimeoutMs / 1000)}`,
    '',
    '[Install]',
    'WantedBy=multi-user.target',
    '',
  ].join('\n')
}

/** One word of a command line (systemd.service(5)): quoted, `%` and `$` doubled, backslash and quote escaped. */
function quote(word: string): string {
  if (/[\p{Cc}]/u.test(word)) throw new SkerryError('invalid-argument', 'a unit cannot hold control characters', { word })
  return `"${word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`
}

export function systemdManager({ exec, files }: ManagerPorts, siteName: string): ServiceManager {
  const systemctl = (args: readonly string[], okCodes: readonly number[] = [0]) =>
    exec.run('systemctl', args, { timeoutMs: TIMEOUT_MS, okCodes })
  const ours = async (): Promise<string[]> => {
    const names = ((await files.list(UNITS)) ?? []).filter((name) => name.startsWith(`${siteName}-`) && name.endsWith('.service'))
    const marked = await Promise.all(
      names.map(async (name) => (await files.read(`${UNITS}/${name}`))?.startsWith(markOf(siteName))),
    )
    return names.filter((_, i) => marked[i])
  }
  const end = async (units: readonly string[]) => {
    if (units.length > 0) await systemctl(['disable', '--now', ...units])
  }
  const manager: ServiceManager = {
    async apply(services, others) {
      const names = services.map(({ name }) => unitName(siteName, name))
      const before = await ours()
      if (others === 'end') await end(before.filter((name) => !names.includes(name)))
      const changed: string[] = []
      for (const spec of services) {
        const name = unitName(siteName, spec.name)
        if (await writeIfChanged(files, `${UNITS}/${name}`, unitText(siteName, spec), 0o644)) changed.push(name)
      }
      if (changed.length > 0) await systemctl(['daemon-reload'])
      await systemctl(['enable', '--quiet', '--now', ...names])
      const restarted = changed.filter((name) => before.includes(name))
      if (restarted.length > 0) await systemctl(['restart', ...restarted])
    },
    async status() {
      const units = await ours()
      return Promise.all(units.map((unit) => statusOf(unit, siteName, systemctl)))
    },
    stop: async () => end(await ours()),
    async remove() {
      const units = await ours()
      for (const unit of units) await files.remove(`${UNITS}/${unit}`)
      if (units.length > 0) await systemctl(['daemon-reload'])
    },
  }
  return manager
}

async function statusOf(
  unit: string,
  siteName: string,
  systemctl: (args: readonly string[]) => Promise<{ stdout: string }>,
): Promise<ServiceStatus> {
  const { stdout } = await systemctl(['show', unit, '--property=ActiveState,MainPID,NRestarts,Result'])
  const shown = Object.fromEntries(stdout.split('\n').map((line) => line.split('=', 2) as [string, string]))
  const active = shown['ActiveState']
  return {
    name: unit.slice(siteName.length + 1, -'.service'.length),
    state: active === 'active' ? 'running' : active === 'activating' ? 'waiting' : 'stopped',
    pid: Number(shown['MainPID']) || null,
    restarts: Number(shown['NRestarts']) || 0,
    lastExit: shown['Result'] === 'success' ? null : (shown['Result'] ?? null),
  }
}
