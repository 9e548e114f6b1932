/** The controller as a process: real disk, real bus, real clock. Wiring only. */
import { randomBytes, randomUUID } from 'node:crypto'
import { connectNats, realTimers } from '@skerry/bus'
import { SKERRY_VERSION, toErrorBody } from '@skerry/contract'
import { pino } from 'pino'
import { type Config, readConfig, usage } from './config.ts'
import { createController } from './controller.ts'
import { tables } from './engine/tables.ts'
import { listen } from './http/index.ts'
import { hasDefaultPassword } from './seed.ts'
import { loadSiteKey, openDocument, openSecrets, openStore, realDisk } from './store/index.ts'

/** One write for many lines: a write a request costs more than most requests do. kill -9 loses the last fifth of a second. */
const LOG_EVERY_MS = 200
const output = pino.destination({ dest: 1, minLength: 4096, sync: true })
const log = pino({ name: 'skerry-controller' }, output)
setInterval(() => output.flushSync(), LOG_EVERY_MS).unref()
process.on('exit', () => output.flushSync())
const newId = () => randomUUID().replaceAll('-', '')
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
const PUBLISHED_EVERY_MS = 1_000

function every(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms)
  return () => clearInterval(timer)
}

async function openAll(config: Config) {
  await realDisk.mkdir(config.stateDir)
  const siteKey = await loadSiteKey(`${config.stateDir}/site.key`)
  const secrets = await openSecrets({ dir: `${config.stateDir}/secrets`, disk: realDisk, siteKey, random: randomBytes })
  const store = await openStore({
    dir: `${config.stateDir}/log`,
    disk: realDisk,
    tables,
    clock: Date.now,
    newId,
    report: (err) => log.error({ err }, 'the store failed in the background'),
  })
  log.info({ ...store.recovery, seq: store.graph.seq }, 'log opened')
  const { low: node } = await openDocument(realDisk, `${config.stateDir}/node.json`, { uuid: newId(), publishedSeq: 0 })
  await node.write()
  return { siteKey, secrets, store, node }
}

async function connect(config: Config) {
  const { url, creds, ca } = config.nats
  return connectNats({
    servers: [url],
    name: 'skerry-controller',
    inboxPrefix: '_INBOX_ctl',
    waitOnFirstConnect: true,
    reconnect: { minMs: 100, maxMs: 500 },
    ...(creds ? { credentials: creds } : {}),
    ...(ca ? { tls: { ca } } : {}),
    onError: (err) => log.warn({ err }, 'bus'),
  })
}

async function run(config: Config): Promise<void> {
  const { siteKey, secrets, store, node } = await openAll(config)
  const bus = await connect(config)
  const controller = await createController({
    store,
    bus,
    secrets,
    siteKey,
    log,
    now: Date.now,
    monotonic: () => performance.now(),
    newId,
    random: Math.random,
    sleep,
    timers: realTimers,
    every,
    fetch,
    nodeUuid: node.data.uuid,
    adminPassword: config.adminPassword,
    enrol: { accountSeed: config.nats.accountSeed, servers: [config.nats.publicUrl], ca: config.nats.ca ?? null },
    address: { hostname: config.http.addr, port: config.http.port, scheme: config.http.tls ? 'wss' : 'ws' },
    publishedSeq: node.data.publishedSeq,
    published: (seq) => (node.data.publishedSeq = seq),
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
    await node.write()
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void end(signal).catch(fail))
}

function fail(error: unknown): never {
  log.fatal({ err: error, ...toErrorBody(error) }, 'the controller cannot go on')
  process.exit(1)
}

const config = await readConfig(process.argv.slice(2), process.env).catch(fail)
if (config === 'help') process.stdout.write(usage)
else if (config === 'version') process.stdout.write(`${SKERRY_VERSION}\n`)
else await run(config).catch(fail)
