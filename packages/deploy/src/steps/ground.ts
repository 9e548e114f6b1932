/** First steps: folders, ports that must be free, programs, keys. */

import { createConnection } from 'node:net'
import { resolve } from 'node:path'
import { SkerryError } from '@skerry/contract'
import { chosenExtensions, extensionsFingerprint } from '@skerry/host'
import { folders } from '../layout.ts'
import { readRecord, type SiteRecord, writeRecord } from '../record.ts'
import { installBundles } from '../services/bundles.ts'
import { listens, SYSTEM_SOCKET } from '../services/libvirt.ts'
import { supervisorManager } from '../services/manager.ts'
import { systemdManager } from '../services/systemd.ts'
import { controllerUrl, prepareSite } from '../site/secrets.ts'
import { personKey, siteKey } from '../site/ssh-key.ts'
import { MANAGEMENT_IP, need, type Step, type Up } from './state.ts'

export const prepareFolders: Step = async (up) => {
  for (const { path, mode } of folders(up.layout)) await up.host.files.makeDir(path, mode)
  const known = await readRecord(up.host.files, up.layout)
  const url = controllerUrl(up.settings)
  const extensions = await chosenExtensions(up.host.files, up.settings, known?.extensions)
  up.found.record = { ...(known ? { ...known, url } : await firstRecord(up)), extensions }
  if (known?.url !== url || JSON.stringify(known.extensions) !== JSON.stringify(extensions))
    await writeRecord(up.host.files, up.layout, up.found.record)
}

/** Decided once: a libvirtd that somebody starts later must not take the guests of a running site over. */
async function firstRecord(up: Up): Promise<SiteRecord> {
  const { settings, systemd } = up
  const wanted = settings.libvirt === 'auto' ? ((await listens(SYSTEM_SOCKET)) ? 'system' : 'own') : settings.libvirt
  return {
    siteName: settings.siteName,
    url: controllerUrl(settings),
    managementIp: MANAGEMENT_IP,
    manager: systemd ? 'systemd' : 'supervisor',
    libvirt: wanted,
    cliConfig: null,
    sshKey: null,
    extensions: { plugins: null, workflows: null },
    guest: null,
  }
}

export const installPrograms: Step = async (up) => {
  const { host, layout, node, sleep, settings } = up
  const bundles = await installBundles({ exec: host.exec, files: host.files, layout, dist: up.dist })
  up.found.bundles = bundles
  const ports = { exec: host.exec, files: host.files, processes: host.process, layout, node, sleep }
  const { manager } = need(up, 'record')
  up.found.manager =
    manager === 'systemd' ? systemdManager(ports, settings.siteName) : supervisorManager(ports, bundles.supervisor)
}

/** A port that another program holds is found before our own fails on it again and again. */
export const checkPorts: Step = async (up) => {
  const running = new Set((await need(up, 'manager').status()).filter((s) => s.state === 'running').map((s) => s.name))
  const { nats, http } = up.settings
  if (!running.has('nats')) await mustBeFree(up, nats, 'SKERRY_NATS_ADDR=127.0.0.1:<other port>')
  if (!running.has('controller')) await mustBeFree(up, http, 'SKERRY_HTTP_PORT=<other port>')
}

async function mustBeFree(up: Up, { addr, port }: { addr: string; port: number }, setting: string): Promise<void> {
  const target = addr === '0.0.0.0' || addr === '::' ? '127.0.0.1' : addr
  if (!(await connects(target, port))) return
  const { stdout } = await up.host.exec.run('ss', ['-Hltnp', `sport = :${port}`], { timeoutMs: 5_000, okCodes: [0, 1, 255] })
  const holder = /users:\(\("([^"]+)",pid=(\d+)/.exec(stdout)
  const who = holder ? `${holder[1]} (pid ${holder[2]})` : 'another program'
  throw new SkerryError('in-use', `${addr}:${port} is taken by ${who}`, {
    remedy: `end it, or choose another: ${setting} ./scripts/up`,
  })
}

function connects(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port, timeout: 2_000 })
    const answer = (yes: boolean) => () => {
      socket.destroy()
      resolve(yes)
    }
    socket.once('connect', answer(true))
    socket.once('timeout', answer(false))
    socket.once('error', answer(false)) // refused: free
  })
}

export const prepareKeys: Step = async (up) => {
  const { host, layout, settings } = up
  up.found.key =
    settings.sshKey === undefined
      ? await siteKey(host, layout.sshKey, `${settings.siteName} guests`)
      : await personKey(host.files, resolve(settings.sshKey))
  const prints = await prepareSite({ files: up.host.files, layout: up.layout, settings: up.settings, now: up.now() })
  const { plugins, workflows } = need(up, 'record').extensions
  const none = plugins === null && workflows === null
  const more = none ? '' : ` ${await extensionsFingerprint(up.host.files, { plugins, workflows })}`
  up.found.fingerprints = { ...prints, controller: prints.controller + more }
}
