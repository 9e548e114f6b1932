/** agent-kvm as a process of its own, on a real bus, with a real libvirtd of its own. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { enrol } from '@skerry/agent'
import { issueUser } from '@skerry/bus'
import { type Document, type Status, status, subjects, type Tombstone } from '@skerry/contract'
import { realHost } from '@skerry/host'
import { startLibvirtd } from '@skerry/libvirt'
import { startNats } from '@skerry/testkit'
import { guestDisk } from './guest.ts'

export const newId = () => randomUUID().replaceAll('-', '')
const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
const run = promisify(execFile)

/** `program`: what to run instead of the source, e.g. a bundle's main.js. */
export async function realBench({ program = ['--import', tsx, main] }: { program?: string[] } = {}) {
  const dir = await mkdtemp('/tmp/skerry-kvm-')
  const stateDir = `${dir}/agent`
  const agentUuid = newId()
  const libvirtd = await startLibvirtd({ dir: `${dir}/lv`, hostUuid: randomUUID() })
  const nats = await startNats({ tls: true, auth: true })
  const host = realHost()
  await enrolHere()
  const controller = await nats.connect('controller')
  const statuses: (Status & { heardMs: number })[] = []
  controller.subscribe(subjects.statusOfAll, (m) => void statuses.push({ ...status.parse(m.data), heardMs: performance.now() }))
  await controller.flush()
  await mkdir(`${dir}/pool`)
  await writeFile(`${dir}/pool/obeys.raw`, guestDisk({ obeys: true }))
  await writeFile(`${dir}/pool/deaf.raw`, guestDisk({ obeys: false }))
  let agent: ChildProcess | undefined
  let output = ''

  /** What `up` does, without a controller: credentials from the site's account. */
  async function enrolHere() {
    const accountSeed = nats.site?.account.seed as string
    const answer = async (body: string) => {
      const { publicKey } = JSON.parse(body).params
      const { jwt } = await issueUser({
        accountSeed,
        kind: 'agent',
        agent: { kind: 'kvm', uuid: agentUuid },
        userPublicKey: publicKey,
      })
      return JSON.stringify({ uuid: agentUuid, jwt, servers: [nats.url], ca: nats.ca?.certPem ?? null })
    }
    const fetch = async (_: string, { body }: { body: string }) => ({ status: 200, text: () => answer(body) })
    await enrol({
      controllerUrl: 'http://127.0.0.1',
      token: 't',
      kind: 'kvm',
      machineId: newId(),
      managementIp: '127.0.0.1',
      stateDir,
      files: host.files,
      fetch,
    })
  }
  const ask = async (verb: string, data: unknown, noun = 'agent', uuid = agentUuid, timeoutMs = 30_000) =>
    (await controller.request(subjects.do('kvm', agentUuid, noun, uuid, verb), data, { timeoutMs })).data
  async function start() {
    const args = [...program, '--state-dir', stateDir, '--libvirt-uri', libvirtd.uri, '--domain-type', 'qemu']
    const child = spawn(process.execPath, args, { env: { PATH: process.env['PATH'] ?? '' }, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
    agent = child
    for (let tries = 0; ; tries++) {
      if (child.exitCode !== null) throw new Error(`the agent ended\n${output}`)
      const answer = await ask('digest', null).catch((error) => error)
      if (!(answer instanceof Error)) return
      if (tries > 200) throw new Error(`the agent does not answer\n${output}`, { cause: answer })
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  /** SIGTERM or kill -9, by its pid. */
  async function end(signal: 'SIGTERM' | 'SIGKILL') {
    if (!agent || agent.exitCode !== null || agent.signalCode !== null) return
    const exited = once(agent, 'exit')
    agent.kill(signal)
    await exited
  }
  async function stop() {
    await end('SIGTERM')
    await nats.stop()
    await libvirtd.stop({ destroyDomains: true })
    await rm(dir, { recursive: true, force: true })
  }
  return {
    dir,
    stateDir,
    agentUuid,
    libvirtd,
    host,
    controller,
    statuses,
    ask,
    start,
    end,
    stop,
    sync: (...documents: (Document | Tombstone)[]) => ask('sync', { documents, epoch: 1 }),
    command: async (noun: string, uuid: string, verb: string, input: Record<string, unknown>) =>
      (
        (await ask(verb, { id: newId(), deadlineMs: 30_000, epoch: 1, mode: 'apply', input }, noun, uuid)) as {
          output: Record<string, unknown>
        }
      ).output,
    last: (uuid: string) => statuses.findLast((s) => s.uuid === uuid),
    virsh: async (...args: string[]) => (await run('virsh', ['-c', libvirtd.uri, ...args], { timeout: 20_000 })).stdout.trim(),
    output: () => output,
    agentPid: () => agent?.pid as number,
    consoleLog: (vm: string) => readFile(`${stateDir}/vms/${vm}/console.log`, 'latin1').catch(() => ''), // not there before the first start
  }
}

export type RealBench = Awaited<ReturnType<typeof realBench>>
