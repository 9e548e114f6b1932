/** Looking at a guest from where its neighbours would: inside its router's namespace. */
import { routerNetns } from '@skerry/contract'
import { realHost } from '@skerry/host'
import { until } from './site.ts'

const { exec } = realHost()

/** HTTP GET from the router's namespace; throws when there is no answer within 5 s. */
export async function httpFromRouter(l3Uuid: string, address: string, path = '/'): Promise<string> {
  const { stdout } = await exec.run(
    'curl',
    ['--silent', '--show-error', '--fail', '--max-time', '5', `http://${address}${path}`],
    {
      timeoutMs: 10_000,
      netns: routerNetns(l3Uuid),
    },
  )
  return stdout
}

/** Waits until the guest answers: it has booted, has its lease, and its services run. Emulated, that takes 10 to 40 seconds. */
export const answers = (l3Uuid: string, address: string) =>
  until(`an answer of the guest at ${address}`, 180_000, () => httpFromRouter(l3Uuid, address))

/** Seconds since the guest booted. */
export async function uptime(l3Uuid: string, address: string): Promise<number> {
  return Number((await httpFromRouter(l3Uuid, address, '/cgi-bin/uptime')).trim().split(' ')[0])
}

/** A host beyond the site: a namespace with a web server, routed to from the test's own root namespace. */
export async function outside(name: string, subnet: string): Promise<{ address: string; stop(): Promise<void> }> {
  const run = (cmd: string, argv: string[], netns?: string) =>
    exec.run(cmd, argv, { timeoutMs: 10_000, ...(netns ? { netns } : {}) })
  const [near, address] = [`${subnet}.1`, `${subnet}.2`]
  await run('ip', ['netns', 'add', name])
  await run('ip', ['link', 'add', `${name}0`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name])
  await run('ip', ['addr', 'add', `${near}/24`, 'dev', `${name}0`])
  await run('ip', ['link', 'set', `${name}0`, 'up'])
  await run('ip', ['addr', 'add', `${address}/24`, 'dev', 'eth0'], name)
  for (const link of ['lo', 'eth0']) await run('ip', ['link', 'set', link, 'up'], name)
  const script = `require('node:http').createServer((q, r) => r.end('outside sees ' + q.socket.remoteAddress)).listen(80, '${address}')`
  const server = await exec.spawn(process.execPath, ['-e', script], { logFile: `/tmp/${name}.log`, netns: name })
  await until(
    'the server outside',
    10_000,
    async () => (await run('curl', ['--silent', '--max-time', '2', `http://${address}/`])).stdout,
  )
  return {
    address,
    async stop() {
      server.kill('SIGKILL')
      await run('ip', ['link', 'del', `${name}0`])
      await run('ip', ['netns', 'del', name])
    },
  }
}
