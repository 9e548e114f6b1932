/** haproxy's runtime API: commands as text over the socket in its folder, answers as text (management guide, §9.3). */
import { open } from 'node:fs/promises'
import { connect } from 'node:net'
import { cidr4, ipv4, SkerryError } from '@skerry/contract'
import { z } from 'zod'
import type { HaproxyRuntime, HaproxyServerView, HaproxyView } from './haproxy.ts'
import { backendOf, haproxyFiles, haproxyHealth, haproxyServer, serverWords } from './haproxy-config.ts'
import { checkInput } from './parse-json.ts'

const ANSWER_MS = 10_000
/** Lines of lists that are sent at once: a command must fit into haproxy's buffer (16 KiB). */
const AT_ONCE = 100

const file = z.string().regex(/^[a-z0-9_]+\.(lst|pem)$/)
const name = haproxyServer.shape.name
const weight = haproxyServer.shape.weight
const entry = z.union([ipv4, cidr4])

/** `close` tells ENOENT and ECONNREFUSED apart from what was answered: undefined. */
async function ask(dir: string, command: string): Promise<string | undefined> {
  // A path of a socket has at most 107 bytes, and folders may be deep: so it is named by the open folder.
  const folder = await open(dir, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (!folder) return undefined
  try {
    return await exchange(`/proc/self/fd/${folder.fd}/${haproxyFiles.socket}`, command)
  } finally {
    await folder.close()
  }
}

const exchange = (path: string, command: string) =>
  new Promise<string | undefined>((resolve, reject) => {
    const socket = connect(path)
    let text = ''
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error('no answer in time')))
    socket.setEncoding('utf8')
    socket.on('data', (data) => void (text += data))
    socket.on('end', () => resolve(text))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(error.code ?? '')) return resolve(undefined)
      reject(new SkerryError('host-command-failed', 'haproxy does not answer', { cause: error.message }, { cause: error }))
    })
    socket.end(`${command}\n`)
  })

/** Columns of a CSV line by the names of its first line, `# pxname,svname,…`. haproxy quotes no name of ours. */
function statsOf(text: string): Record<string, string>[] {
  const [head = '', ...lines] = text.split('\n').filter((line) => line.includes(','))
  const columns = head.replace(/^# /, '').split(',')
  return lines.map((line) => {
    const cells = line.split(',')
    return Object.fromEntries(columns.map((column, at) => [column, cells[at] ?? '']))
  })
}

function serverOf(row: Record<string, string>): HaproxyServerView | undefined {
  const [ip, port] = (row['addr'] ?? '').split(':')
  if (!ip || !port) return undefined
  const known = row['check_status'] !== '' && row['check_status'] !== 'INI' && row['status'] !== 'MAINT'
  return {
    name: row['svname']!,
    ip,
    port: Number(port),
    weight: Number(row['weight']),
    up: known ? row['status']!.startsWith('UP') : null,
  }
}

function viewOf(info: string, stats: string): HaproxyView | undefined {
  const digest = /^description: ([0-9a-f]{64})$/m.exec(info)?.[1]
  if (digest === undefined) return undefined
  const servers: HaproxyView['servers'] = {}
  for (const row of statsOf(stats)) {
    const listener = /^b_([0-9a-f]{32})$/.exec(row['pxname'] ?? '')?.[1]
    if (listener === undefined) continue
    servers[listener] ??= []
    if (row['svname'] === 'BACKEND') continue
    const server = serverOf(row)
    if (server) servers[listener].push(server)
  }
  return { digest, servers }
}

export function runtimeOf(dir: string, sleep: (ms: number) => Promise<void>): HaproxyRuntime {
  const must = async (command: string, good: RegExp): Promise<string> => {
    const answer = (await ask(dir, command))?.trim()
    if (answer !== undefined && good.test(answer)) return answer
    // the words only: what follows them may be a key
    const verb = command.split(' ').slice(0, 2).join(' ')
    const why = answer === undefined ? 'it does not answer' : answer.split('\n')[0]
    throw new SkerryError('host-command-failed', `haproxy did not carry out "${verb}": ${why}`, { dir })
  }
  const of = (listener: string, server: string) =>
    `${backendOf(checkInput('listener', listener, name))}/${checkInput('server', server, name)}`
  return {
    async view() {
      const [info, stats] = [await ask(dir, 'show info'), await ask(dir, 'show stat')]
      return info === undefined || stats === undefined ? undefined : viewOf(info, stats)
    },
    async addServer(listener, given, health) {
      const server = checkInput('server', given, haproxyServer)
      const checked = health && checkInput('health check', health, haproxyHealth)
      const path = of(listener, server.name)
      await must(`add server ${[path, ...serverWords(server, checked)].join(' ')}`, /registered/)
      // only backends with cookies know this word; the others have nothing to set
      await ask(dir, `enable dynamic-cookie backend ${backendOf(listener)}`)
      if (checked) await must(`enable health ${path}`, /^$/)
      await must(`enable server ${path}`, /^$/)
    },
    setWeight: async (listener, server, to) =>
      void (await must(`set server ${of(listener, server)} weight ${checkInput('weight', to, weight)}`, /^$/)),
    async removeServer(listener, server) {
      const path = of(listener, server)
      const gone = /No such (server|backend)/i
      if (gone.test((await ask(dir, `set server ${path} state maint`)) ?? '')) return
      await must(`shutdown sessions server ${path}`, /^$/)
      // connections that are told to end need a moment
      for (let waited = 0; waited < ANSWER_MS; waited += 10) {
        if (/deleted|No such server/i.test((await ask(dir, `del server ${path}`)) ?? '')) return
        await sleep(10)
      }
      await must(`del server ${path}`, /deleted/i)
    },
    async list(given) {
      const answer = (await ask(dir, `show acl ${checkInput('list', given, file)}`)) ?? ''
      return answer.split('\n').flatMap((line) => /^0x\S+ (\S+)$/.exec(line)?.[1] ?? [])
    },
    async setList(given, entries) {
      const list = checkInput('list', given, file)
      const version = /\d+/.exec(await must(`prepare acl ${list}`, /New version created: \d+/))![0]
      for (let at = 0; at < entries.length; at += AT_ONCE) {
        const part = entries.slice(at, at + AT_ONCE)
        const commands = part.map((one) => `add acl @${version} ${list} ${checkInput('address', one, entry)}`)
        await must(commands.join(';'), /^$/)
      }
      await must(`commit acl @${version} ${list}`, /^$/)
    },
    async setCertificate(given, pem) {
      const target = checkInput('certificate', given, file)
      // an empty line ends what is handed over
      const lines = pem.split('\n').filter((line) => line.trim() !== '')
      await must(`set ssl cert ${target} <<\n${lines.join('\n')}\n`, /Transaction (created|updated)/)
      await must(`commit ssl cert ${target}`, /Success/)
    },
  }
}
