/** Starts a console proxy. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { connectNatsLater, inboxOfCreds, realTimers } from '@skerry/bus'
import { pino } from 'pino'
import { consoleBridge } from './bridge.ts'
import { readProxyOptions, usage } from './options.ts'
import { pageFile } from './page.ts'
import { startProxy } from './proxy.ts'
import { tunnelBridge } from './tunnel.ts'

const log = pino({ name: 'skerry-console-proxy' })

async function main(): Promise<void> {
  const options = await readProxyOptions(process.argv.slice(2), process.env)
  if (options === 'help') return void process.stdout.write(usage)
  const { natsUrl, creds, ca, addr, port, tls } = options
  const inboxPrefix = inboxOfCreds(creds)
  const bus = connectNatsLater({
    ...{ servers: [natsUrl], name: 'console-proxy', credentials: { creds } },
    ...(inboxPrefix ? { inboxPrefix } : {}),
    ...(ca ? { tls: { ca } } : {}),
    onError: (err) => log.warn({ err }, 'NATS'),
  })
  let connected = false
  bus.onState((state) => (connected = state === 'connected'))
  const ports = { bus, timers: realTimers, newId: () => randomUUID().replaceAll('-', '') }
  const proxy = await startProxy({
    open: consoleBridge(ports),
    tunnel: tunnelBridge(ports),
    page: (name) => pageFile(join(import.meta.dirname, 'console-page'), name),
    ready: () => connected,
    ...{ addr, port, tls, log },
  })
  log.info({ url: proxy.url }, 'ready')
  const end = async () => {
    await proxy.close()
    await bus.close()
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void end())
}

main().catch((error: unknown) => {
  log.fatal({ err: error }, 'the console proxy cannot start')
  process.exit(1)
})
