/** `scripts/up --simulate N` after its bundles are there: starts a simulator, or finds the one that runs, and makes what VMs need. */
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { createConnection } from 'node:net'
import { homedir, totalmem } from 'node:os'
import { join } from 'node:path'
import { SkerryError } from '@skerry/contract'
import { chosenExtensions, extensionsFingerprint, type Files, type Host, realHost } from '@skerry/host'
import { createClient } from '@skerry/sdk'
import { makeSimulatedDemo } from './site/demo.ts'
import { findSimulator } from './site/door.ts'
import { endSimulator } from './site/end.ts'
import { failureText } from './site/failure.ts'
import { type SimulatedLayout, type SiteRecord, simulatedLayout, siteRecord } from './site/layout.ts'
import { readSimulateSettings, SIMULATE_USAGE, type SimulateSettings } from './site/settings.ts'

const HOST = '127.0.0.1'
const READY_MS = 120_000
const CLI_MS = 30_000
const TAIL_CHARS = 1_500
const SBIN = ['/usr/local/sbin', '/usr/sbin', '/sbin']
const DIST = join(import.meta.dirname, '..')
/** MiB that the simulator may use: each VM takes about 60 KiB of it, and Node's own limit is 4 GiB however much there is. */
const HEAP_MIB = Math.floor(totalmem() / 2 / 1024 ** 2)

interface Up {
  settings: SimulateSettings
  layout: SimulatedLayout
  host: Host
  files: Files
}

const say = (text: string) => void process.stdout.write(`${text}\n`)

async function main(settings: SimulateSettings): Promise<void> {
  const began = performance.now()
  const host = realHost()
  const up: Up = { settings, layout: simulatedLayout(settings.stateDir), host, files: host.files }
  const natsServer = await findNatsServer(up)
  for (const folder of up.layout.folders) await up.files.makeDir(folder, 0o700)
  const record = await withExtensions(up, await recordOf(up))
  if (!(await findSimulator(up.files, up.layout))) await startSimulator(up, natsServer)
  await untilReady(up)
  const { client, end } = await logIn(up, record)
  if (settings.demo) await makeSimulatedDemo({ client, hosts: settings.hosts, say })
  await writeContext(up, record, client)
  const { total = 0 } = await client.query('host', { count: true })
  await end()
  say(summary(up, record, { hosts: total, ms: performance.now() - began }))
}

/** Debian's lies in /usr/sbin, which is in no ordinary person's PATH. */
async function findNatsServer({ files }: Up): Promise<string> {
  const folders = [...(process.env['PATH'] ?? '').split(':').filter((folder) => folder.startsWith('/')), ...SBIN]
  for (const folder of folders) {
    const path = `${folder}/nats-server`
    // a folder of the PATH that we may not look into holds nothing that we could run
    if (await files.stat(path).catch(() => undefined)) return path
  }
  throw new SkerryError('not-ready', 'nats-server is not installed', {
    remedy: 'sudo apt-get install --no-install-recommends nats-server   (it need not be started), then run this again',
  })
}

/** What was chosen at the first run stays: the keys and addresses of a site are made of it. */
async function recordOf({ settings, layout, files }: Up): Promise<SiteRecord> {
  const text = await files.read(layout.record)
  if (text !== undefined) return siteRecord.parse(JSON.parse(text))
  const { httpPort, natsPort, context } = settings
  const none = { plugins: null, workflows: null, extensions: '' }
  const record: SiteRecord = { v: 1, httpPort, natsPort, context, cliConfig: null, ...none }
  await files.write(layout.adminPassword, settings.adminPassword, 0o600)
  await files.write(layout.record, JSON.stringify(record), 0o600)
  return record
}

/** What the operator adds, now or before. A simulator that runs without it, or with other files, ends: its controller reads them at its start. */
async function withExtensions({ settings, layout, host, files }: Up, before: SiteRecord): Promise<SiteRecord> {
  const chosen = await chosenExtensions(files, settings, before)
  const none = chosen.plugins === null && chosen.workflows === null
  const extensions = none ? '' : await extensionsFingerprint(files, chosen)
  const record: SiteRecord = { ...before, ...chosen, extensions }
  if (JSON.stringify(record) === JSON.stringify(before)) return before
  if (await findSimulator(files, layout)) {
    say('plugins or workflows have changed: the simulator starts again')
    await endSimulator(host, layout)
  }
  await files.write(layout.record, JSON.stringify(record), 0o600)
  return record
}

async function startSimulator(up: Up, natsServer: string): Promise<void> {
  const { layout, files } = up
  const { httpPort, natsPort, plugins, workflows } = await recordOf(up)
  await files.remove(layout.door)
  await mustBeFree(httpPort, 'SKERRY_HTTP_PORT=<other port>')
  await mustBeFree(natsPort, `SKERRY_NATS_ADDR=${HOST}:<other port>`)
  const log = openSync(layout.log('simulator'), 'a', 0o600)
  const child = spawn(
    process.execPath,
    [
      ...['--enable-source-maps', '--max-semi-space-size=64', `--max-old-space-size=${HEAP_MIB}`],
      join(DIST, 'simulator/main.js'),
      ...['--state-dir', layout.root, '--http-port', String(httpPort), '--nats-port', String(natsPort)],
      ...['--nats-server', natsServer, '--controller', join(DIST, 'controller/main.js')],
      ...(plugins === null ? [] : ['--plugins', plugins]),
      ...(workflows === null ? [] : ['--workflows', workflows]),
    ],
    {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: layout.root,
      env: { PATH: process.env['PATH'] ?? '', NODE_ENV: 'production' },
    },
  )
  closeSync(log)
  child.unref()
}

async function untilReady({ files, layout }: Up): Promise<void> {
  let seen = false
  for (const until = performance.now() + READY_MS; performance.now() < until; await pause(25)) {
    const found = await findSimulator(files, layout)
    if (found?.health.ready) return
    if (seen && !found) break // it was there, and has ended
    seen ||= found !== undefined
  }
  const tail = async (name: string) => ((await files.read(layout.log(name))) ?? '').slice(-TAIL_CHARS)
  throw new SkerryError(
    'not-ready',
    `the simulator is not ready; it said\n${await tail('simulator')}${await tail('controller')}`,
    {
      remedy: `look into ${layout.root}/logs`,
    },
  )
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

function mustBeFree(port: number, setting: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: HOST, port, timeout: 2_000 })
    socket.once('connect', () => {
      socket.destroy()
      const remedy = `end it, or choose another at the first run: ${setting} ./scripts/up --simulate N`
      reject(new SkerryError('in-use', `${HOST}:${port} is taken by another program`, { remedy }))
    })
    socket.once('error', () => resolve()) // refused: free
    socket.once('timeout', () => {
      socket.destroy()
      resolve()
    })
  })
}

async function logIn({ settings, layout, files }: Up, { httpPort }: SiteRecord) {
  const client = createClient({ baseUrl: `http://${HOST}:${httpPort}` })
  const first = await files.read(layout.adminPassword)
  let refused: unknown
  for (const password of new Set([...(first ? [first] : []), settings.adminPassword])) {
    try {
      const { uuid } = await client.login('admin', password)
      return { client, end: () => client.logout(uuid) }
    } catch (error) {
      refused = error
    }
  }
  const remedy = "run again with the account's password in SKERRY_ADMIN_PASSWORD"
  throw new SkerryError('login-failed', 'cannot log in as admin', { remedy }, { cause: refused })
}

/** So that `skerry` works at once. */
async function writeContext(up: Up, record: SiteRecord, client: ReturnType<typeof createClient>): Promise<void> {
  const { files, layout, host } = up
  if ((await files.read(layout.cliCreds)) === undefined) {
    const { creds } = await client.call('IssueBusCredentials', {})
    await files.write(layout.cliCreds, String(creds), 0o600)
  }
  const configHome = process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config')
  const cli = (args: readonly string[], okCodes: readonly number[]) =>
    host.exec.run('env', [`XDG_CONFIG_HOME=${configHome}`, process.execPath, join(DIST, 'cli/main.js'), ...args], {
      timeoutMs: CLI_MS,
      okCodes,
    })
  const anyCode = Array.from({ length: 128 }, (_, code) => code)
  if (record.cliConfig !== null) {
    const works = await cli(['get', 'zone', '-o', 'name', '--context', record.context], anyCode)
    if (works.code === 0) return
  }
  const nats = ['--nats-url', `nats://${HOST}:${record.natsPort}`, '--creds', layout.cliCreds]
  const who = ['--account', 'admin', '--password-file', layout.adminPassword]
  await cli(['login', '--url', `http://${HOST}:${record.httpPort}`, ...who, '--context', record.context, ...nats], [0])
  await files.write(layout.record, JSON.stringify({ ...record, cliConfig: `${configHome}/skerry` } satisfies SiteRecord), 0o600)
}

function summary({ layout }: Up, { httpPort, context }: SiteRecord, { hosts, ms }: { hosts: number; ms: number }): string {
  const vm = 'create vm hello --instance-offering small --image tiny --l3-networks net1 --wait'
  const host = 'add host mine --management-ip 127.0.0.9 --cluster cluster1 --username any --password any --wait'
  return [
    '',
    `${hosts} simulated hosts, in ${(ms / 1000).toFixed(1)} s`,
    `API      http://${HOST}:${httpPort}  (account admin, password in ${layout.adminPassword})`,
    `state    ${layout.root}, logs in ${layout.root}/logs`,
    `context  ${context} (skerry --context ${context} from elsewhere)`,
    '',
    'Try next:',
    ...[vm, host, 'get host', 'sim list', 'sim set --host h1 --latency 200ms', 'events -f'].map(
      (command) => `  ./scripts/skerry ${command}`,
    ),
    '  ./scripts/down',
    '',
  ].join('\n')
}

try {
  const settings = readSimulateSettings(process.argv.slice(2), process.env)
  if (settings === 'help') process.stdout.write(SIMULATE_USAGE)
  else await main(settings)
  process.exit(0)
} catch (error) {
  process.stderr.write(`\n${failureText(error)}\n`)
  process.exit(1)
}
