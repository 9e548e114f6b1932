/** What a person sees and uses: the command line's context, and the demo. */

import { signerOfCreds } from '@skerry/bus'
import { addressOf, waitForAnswer, waitForLogin } from '../demo/answer.ts'
import { findHello, HELLO, makeHello } from '../demo/hello.ts'
import { type DemoInputs, ensureGround, ensureNetwork } from '../demo/resources.ts'
import { startStopped } from '../demo/stopped.ts'
import { writeRecord } from '../record.ts'
import type { GuestKind } from '../settings.ts'
import { controllerUrl, natsPublicUrl } from '../site/secrets.ts'
import { MANAGEMENT_IP, need, type Say, type Step, type Up } from './state.ts'

const CLI_MS = 30_000
const ANY_CODE = Array.from({ length: 256 }, (_, code) => code)

/** `default` for the usual state folder; other sites have their own name, and don't become the current one of a person. */
export const contextName = (siteName: string) => (siteName === 'skerry' ? 'default' : siteName)

/** `env` carries what the command line reads from the environment. */
export async function cli(up: Up, args: readonly string[], okCodes: readonly number[] = [0]) {
  const argv = [`XDG_CONFIG_HOME=${up.configHome}`, up.node, `${need(up, 'bundles').cli}/main.js`, ...args]
  return up.host.exec.run('env', argv, { timeoutMs: CLI_MS, okCodes })
}

/** Made by the controller, which knows what signs; asked for again when another key does. */
async function renewCreds(up: Up): Promise<void> {
  const { host, layout } = up
  const there = await host.files.read(layout.cliCreds)
  const signer = there === undefined ? undefined : signerOfCreds(there)
  const { creds } = await need(up, 'client').call('IssueBusCredentials', signer ? { unlessSignedBy: signer } : {})
  if (typeof creds === 'string') await host.files.write(layout.cliCreds, creds, 0o600)
}

export const writeContext: Step = async (up) => {
  const { settings, layout, host } = up
  await renewCreds(up)
  const context = contextName(settings.siteName)
  const works = await cli(up, ['get', 'zone', '-o', 'name', '--context', context], ANY_CODE)
  const record = need(up, 'record')
  const { privateKey = null } = need(up, 'key')
  if (works.code === 0 && record.cliConfig !== null && record.sshKey === privateKey) return
  const url = controllerUrl(settings)
  const tls = url.startsWith('https') ? ['--ca', layout.caCert] : []
  const nats = ['--nats-url', natsPublicUrl(settings), '--creds', layout.cliCreds, '--nats-ca', layout.caCert]
  const who = ['--account', 'admin', '--password-file', layout.adminPassword]
  const key = privateKey === null ? [] : ['--ssh-key', privateKey]
  await cli(up, ['login', '--url', url, ...who, '--context', context, ...tls, ...nats, ...key])
  up.found.record = { ...record, cliConfig: `${up.configHome}/skerry`, sshKey: privateKey }
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
    cidr: settings.demoCidr,
    say,
  }
  const ground = await ensureGround(inputs)
  const l3 = await ensureNetwork(inputs, ground)
  const { kind, vm: there } = await findHello(inputs.client, settings.guest)
  const vm =
    there ??
    (await makeHello({
      ...{ client: inputs.client, say, kind, backupStorage: ground.backupStorage, l3NetworkUuid: l3 },
      ...{ guest: need(up, kind === 'debian' ? 'debian' : 'guest'), publicKey: need(up, 'key').publicKey },
    }))
  const address = addressOf(vm) ?? ''
  const state = String(vm['state'])
  const shown = { name: HELLO, kind, state, address, started }
  up.found.vm = { ...shown, said: '' }
  if (state !== 'Running') return
  up.found.vm = { ...shown, said: await answerOf(up, say, { kind, l3, address }) }
}

/** Of a guest with a web page that page, of a whole system what it calls itself when one logs in. */
async function answerOf(up: Up, say: Say, { kind, l3, address }: { kind: GuestKind; l3: string; address: string }) {
  if (kind === 'tiny') {
    say(`waits for http://${address}/`)
    return waitForAnswer({ exec: up.host.exec, sleep: up.sleep, nowMs: up.now }, l3, address)
  }
  const context = ['--context', contextName(up.settings.siteName)]
  const ask = (args: readonly string[]) => cli(up, [args[0] ?? '', ...context, ...args.slice(1)], ANY_CODE)
  return waitForLogin({ cli: ask, sleep: up.sleep, nowMs: up.now, say }, HELLO)
}

export const logOut: Step = async (up) => {
  await need(up, 'endSession')()
}
