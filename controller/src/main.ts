/** The controller as a process: real disk, real bus, real clock. Wiring only. */
import { randomBytes, randomUUID, X509Certificate } from 'node:crypto'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { readFileChunks } from '@skerry/backup'
import { connectNatsLater, realTimers } from '@skerry/bus'
import { pageFile } from '@skerry/console/page'
import { SKERRY_VERSION, type SkerryError, toErrorBody } from '@skerry/contract'
import { findPlugins } from '@skerry/plugin'
import { pino } from 'pino'
import { restoreBackup } from './backup/restore.ts'
import { restoredText } from './backup/restored-text.ts'
import { backupStream } from './backup/stream.ts'
import { type Config, type RestoreConfig, readConfig, readRecover, readRestore, usage } from './config.ts'
import { createController } from './controller.ts'
import { tables } from './engine/tables.ts'
import { listen } from './http/index.ts'
import { openKeys, ownConnection } from './keys/index.ts'
import { hasDefaultPassword } from './seed.ts'
import {
  collectGarbage,
  cutLog,
  cutReport,
  type Disk,
  damageReport,
  examineLog,
  loadSiteKey,
  lockFolder,
  nextSiteKey,
  openDocument,
  openSecrets,
  openStore,
  realDisk,
  rotateSiteKey,
} from './store/index.ts'
import { findDeclarations } from './workflows/declaration.read.ts'

/** One write for many lines: a write a request costs more than most requests do. kill -9 loses the last fifth of a second. */
const LOG_EVERY_MS = 200
const output = pino.destination({ dest: 1, minLength: 4096, sync: true })
const log = pino({ name: 'skerry-controller' }, output)
// `flushSync` would also wait for the disk.
setInterval(() => output.flush(), LOG_EVERY_MS).unref()
process.on('exit', () => output.flushSync())
const newId = () => randomUUID().replaceAll('-', '')
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
const PUBLISHED_EVERY_MS = 1_000

function every(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms)
  return () => clearInterval(timer)
}

async function openAll(config: Config) {
  // Held until this process ends, however it ends.
  await lockFolder(config.stateDir, { pid: process.pid, hostName: hostname() })
  const siteKeyFile = `${config.stateDir}/site.key`
  const [siteKey, nextKey] = [await loadSiteKey(siteKeyFile), await nextSiteKey(siteKeyFile)]
  const secrets = await openSecrets({ dir: `${config.stateDir}/secrets`, disk: realDisk, siteKey, nextKey, random: randomBytes })
  const renewSiteKey = () => rotateSiteKey(siteKeyFile, secrets)
  // A rotation that was cut off is ended first: until then what is under which key is only known by trying.
  if (nextKey) await renewSiteKey().catch((err) => log.error({ err }, 'the rotation of the site key cannot go on'))
  const store = await openStore({
    dir: `${config.stateDir}/log`,
    disk: realDisk,
    tables,
    clock: Date.now,
    newId,
    limits: config.history,
    every,
    sleep,
    report: (err) => log.error({ err }, 'the store failed in the background'),
  })
  collectGarbage()
  log.info({ ...store.recovery, seq: store.graph.seq }, 'log opened')
  const first = { uuid: newId(), publishedSeq: 0 }
  const { low: node, existed } = await openDocument(realDisk, `${config.stateDir}/node.json`, first)
  // Only once: a full or read-only disk must not keep a controller from starting.
  if (!existed) await node.write()
  return { renewSiteKey, secrets, store, node }
}

/** HTTP serves reads, and says what can't be done, while no NATS server is there. */
async function connect(config: Config, disk: Disk) {
  const { url, creds, ca, site } = config.nats
  const common = {
    servers: [url],
    name: 'skerry-controller',
    reconnect: { minMs: 100, maxMs: 500 },
    ...(ca ? { tls: { ca } } : {}),
    onError: (err: SkerryError) => log.warn({ err }, 'bus'),
  }
  if (!site) {
    return { bus: connectNatsLater({ ...common, inboxPrefix: '_INBOX_ctl', ...(creds ? { credentials: creds } : {}) }) }
  }
  const authority = await openKeys({ disk, stateDir: config.stateDir, site, url, ca })
  const { bus, renewOwn } = await ownConnection(authority, common)
  return { bus, keys: { authority, renewOwn } }
}

/** Of the certificates that this process uses, the day on which they end. */
function certificatesOf({ http, nats }: Config): { name: string; validTo: number }[] {
  const used = [
    { name: 'HTTP', pem: http.tls?.cert },
    { name: 'the CA of NATS', pem: nats.ca },
  ]
  return used.flatMap(({ name, pem }) => (pem ? [{ name, validTo: Date.parse(new X509Certificate(pem).validTo) }] : []))
}

async function run(config: Config): Promise<void> {
  const { renewSiteKey, secrets, store, node } = await openAll(config)
  const { bus, keys } = await connect(config, realDisk)
  const controller = await createController({
    store,
    bus,
    secrets,
    siteKey: secrets.sealKey,
    log,
    now: Date.now,
    monotonic: () => performance.now(),
    newId,
    random: Math.random,
    sleep,
    timers: realTimers,
    every,
    nodeUuid: node.data.uuid,
    adminPassword: config.adminPassword,
    enrol: { accountSeed: config.nats.accountSeed, servers: [config.nats.publicUrl], ca: config.nats.ca ?? null },
    address: { hostname: config.http.addr, port: config.http.port, scheme: config.http.tls ? 'wss' : 'ws' },
    backup: () =>
      backupStream({
        ...{ store, disk: realDisk, secretsDir: `${config.stateDir}/secrets`, nodeUuid: node.data.uuid },
        ...{ now: Date.now, monotonic: () => performance.now(), pause: () => new Promise((resolve) => setImmediate(resolve)) },
      }),
    publishedSeq: node.data.publishedSeq,
    published: (seq) => (node.data.publishedSeq = seq),
    certificates: certificatesOf(config),
    plugins: config.plugins ? await findPlugins(config.plugins) : [],
    workflows: config.workflows ? await findDeclarations(config.workflows) : [],
    ...(config.simulator ? { simulator: { file: config.simulator, fetch } } : {}),
    page: (name) => pageFile(join(import.meta.dirname, 'console-page'), name),
    ...(keys ? { keys: { ...keys, renewSiteKey } } : {}),
  })
  let written = node.data.publishedSeq
  const offPublished = every(PUBLISHED_EVERY_MS, () => {
    if (node.data.publishedSeq === written) return
    written = node.data.publishedSeq
    node.write().catch((err) => log.error({ err }, 'cannot note which events were published'))
  })
  const door = await listen({
    app: { fetch: (request, env) => controller.app.fetch(request, env as never) },
    addr: config.http.addr,
    port: config.http.port,
    ...(config.http.tls ? { tls: config.http.tls } : {}),
    defaultPassword: await hasDefaultPassword(controller.state),
    consoles: controller.consoles,
    log,
  })
  log.info({ url: door.url, version: SKERRY_VERSION }, 'ready')
  let ending = false
  const end = async (signal: string) => {
    if (ending) return
    ending = true
    log.info({ signal }, 'ending; guests run on')
    offPublished()
    await door.close()
    await controller.stop()
    await bus.close()
    await store.close()
    await node.write().catch((err) => log.error({ err }, 'cannot note which events were published: some are sent again'))
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void end(signal).catch(fail))
}

function fail(error: unknown): never {
  log.fatal({ err: error, ...toErrorBody(error) }, 'the controller cannot go on')
  process.exit(1)
}

/** Offline: the damage to the log in words, and with `cut` an end to it. Exit code 2: there is damage, and it was left. */
async function recover({ stateDir, cut }: { stateDir: string; cut: boolean }): Promise<never> {
  const lock = await lockFolder(stateDir, { pid: process.pid, hostName: hostname() })
  const found = await examineLog({ disk: realDisk, dir: `${stateDir}/log`, tables })
  process.stdout.write(damageReport(found))
  if (cut && found.damage)
    process.stdout.write(cutReport(await cutLog({ disk: realDisk, dir: `${stateDir}/log`, tables }, found)))
  await lock.release()
  process.exit(found.damage && !cut ? 2 : 0)
}

/** Offline: a backup becomes the state of the controller that is started next. */
async function restore({ file, ...config }: RestoreConfig): Promise<never> {
  const owner = { pid: process.pid, hostName: hostname() }
  const ports = { now: Date.now, newId, random: randomBytes, owner }
  process.stdout.write(restoredText(await restoreBackup({ ...config, ...ports, source: readFileChunks(file) })))
  process.exit(0)
}

/** What cannot be restored is told in words, and for programs (`skerry restore`) as the error that it is. */
function cannotRestore(error: unknown): never {
  process.stderr.write(`${JSON.stringify(toErrorBody(error))}\n`)
  process.exit(1)
}

async function main(argv: readonly string[]): Promise<void> {
  const damaged = readRecover(argv, process.env)
  if (damaged) return recover(damaged)
  if (argv[0] === 'restore')
    return readRestore(argv, process.env)
      .then((c) => restore(c!))
      .catch(cannotRestore)
  const config = await readConfig(argv, process.env)
  if (config === 'help') process.stdout.write(usage)
  else if (config === 'version') process.stdout.write(`${SKERRY_VERSION}\n`)
  else await run(config)
}

await main(process.argv.slice(2)).catch(fail)
