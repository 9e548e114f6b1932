/** What a person sees and uses: the command line's context, and the demo. */

import { addressOf, waitForAnswer } from '../demo/answer.ts'
import { type DemoInputs, ensureGround, ensureNetwork, ensureVm } from '../demo/resources.ts'
import { startStopped } from '../demo/stopped.ts'
import { writeRecord } from '../record.ts'
import { controllerUrl, natsPublicUrl } from '../site/secrets.ts'
import { MANAGEMENT_IP, need, type Step, type Up } from './state.ts'

const CLI_MS = 30_000

/** `default` for the usual state folder; other sites have their own name, and don't become the current one of a person. */
export const contextName = (siteName: string) => (siteName === 'skerry' ? 'default' : siteName)

/** `env` carries what the command line reads from the environment. */
export async function cli(up: Up, args: readonly string[], okCodes: readonly number[] = [0]) {
  const argv = [`XDG_CONFIG_HOME=${up.configHome}`, up.node, `${need(up, 'bundles').cli}/main.js`, ...args]
  return up.host.exec.run('env', argv, { timeoutMs: CLI_MS, okCodes })
}

export const writeContext: Step = async (up) => {
  const { settings, layout, host } = up
  const context = contextName(settings.siteName)
  const anyCode = Array.from({ length: 128 }, (_, code) => code)
  const works = await cli(up, ['get', 'zone', '-o', 'name', '--context', context], anyCode)
  const record = need(up, 'record')
  if (works.code === 0 && record.cliConfig !== null) return
  const url = controllerUrl(settings)
  const tls = url.startsWith('https') ? ['--ca', layout.caCert] : []
  const nats = ['--nats-url', natsPublicUrl(settings), '--creds', layout.cliCreds, '--nats-ca', layout.caCert]
  const who = ['--account', 'admin', '--password-file', layout.adminPassword]
  await cli(up, ['login', '--url', url, ...who, '--context', context, ...tls, ...nats])
  up.found.record = { ...record, cliConfig: `${up.configHome}/skerry` }
  await writeRecord(host.files, layout, up.found.record)
}

export const startGuests: Step = async (up, say) => {
  await startStopped({ files: up.host.files, layout: up.layout, client: need(up, 'client') }, say)
}

export const makeDemo: Step = async (up, say) => {
  const { layout, settings, now } = up
  if (settings.demoCidr === undefined) return
  const started = now()
  const inputs: DemoInputs = {
    client: need(up, 'client'),
    managementIp: MANAGEMENT_IP,
    primaryPath: layout.primary,
    imagesPath: layout.images,
    guest: need(up, 'guest'),
    cidr: settings.demoCidr,
    say,
  }
  const ground = await ensureGround(inputs)
  const l3 = await ensureNetwork(inputs, ground)
  const vm = await ensureVm(inputs, ground, l3)
  const address = addressOf(vm) ?? ''
  const state = String(vm['state'])
  up.found.vm = { name: 'hello', state, address, said: '', started }
  if (state !== 'Running') return
  say(`waits for http://${address}/`)
  const said = await waitForAnswer({ exec: up.host.exec, sleep: up.sleep, nowMs: up.now }, l3, address)
  up.found.vm = { name: 'hello', state, address, said, started }
}

export const logOut: Step = async (up) => {
  await need(up, 'endSession')()
}
