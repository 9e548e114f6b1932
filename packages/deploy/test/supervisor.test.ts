/** Real processes: `sleep` and friends. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { files, processes, realExec } from '@skerry/host'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { ServiceSpec } from '../src/services/spec.ts'
import { askControl, serveControl } from '../src/supervisor/control.ts'
import { Supervisor } from '../src/supervisor/supervisor.ts'

const disk = files()
const procs = processes()
let runDir: string
const supervisors: Supervisor[] = []

beforeEach(async () => {
  runDir = await mkdtemp(join(tmpdir(), 'skerry-sv-'))
})
afterEach(async () => {
  for (const supervisor of supervisors.splice(0)) await supervisor.stop()
  await rm(runDir, { recursive: true, force: true })
})

const spec = (name: string, argv: string[], over: Partial<ServiceSpec> = {}): ServiceSpec => ({
  name,
  argv,
  env: {},
  cwd: '/',
  logFile: join(runDir, `${name}.log`),
  stopTimeoutMs: 2_000,
  ...over,
})

const want = (services: ServiceSpec[]) => disk.write(join(runDir, 'services.json'), JSON.stringify({ services }))

function supervise(): Supervisor {
  const supervisor = new Supervisor({
    exec: realExec(),
    files: disk,
    processes: procs,
    timers: {
      set: (run, ms) => setTimeout(run, ms),
      clear: (t) => clearTimeout(t as NodeJS.Timeout),
      nowMs: () => performance.now(),
    },
    log: () => undefined,
    runDir,
    backoff: { firstMs: 20, maxMs: 200, healthyAfterMs: 5_000 },
  })
  supervisors.push(supervisor)
  return supervisor
}

const pidOf = (supervisor: Supervisor, name: string) => supervisor.status().find((s) => s.name === name)?.pid ?? null

test('starts what the file names, with its environment, and writes its output to its log', async () => {
  await want([spec('talk', ['printenv', 'SKERRY_WORD'], { env: { SKERRY_WORD: 'a b;$(c)' } })])
  await supervise().reload()
  await vi.waitFor(async () => expect(await disk.read(join(runDir, 'talk.log'))).toContain('a b;$(c)\n'))
})

test('starts again what dies, slower each time', async () => {
  await want([spec('dies', ['false'])])
  const supervisor = supervise()
  await supervisor.reload()
  await vi.waitFor(() => expect(supervisor.status()[0]?.restarts).toBeGreaterThanOrEqual(3))
  expect(supervisor.status()[0]?.lastExit).toBe('exit code 1')
})

test('a service killed with -9 comes back with another pid', async () => {
  await want([spec('nap', ['sleep', '600'])])
  const supervisor = supervise()
  await supervisor.reload()
  const before = pidOf(supervisor, 'nap')!
  process.kill(before, 'SIGKILL')
  await vi.waitFor(() => expect(pidOf(supervisor, 'nap')).not.toBe(before))
  await vi.waitFor(() => expect(supervisor.status()[0]?.state).toBe('running'))
})

test('a program that is not installed is named and does not stop the others', async () => {
  await want([spec('missing', ['skerry-no-such-program']), spec('nap', ['sleep', '600'])])
  const supervisor = supervise()
  await supervisor.reload()
  await vi.waitFor(() => expect(supervisor.status()[0]?.lastExit).toBe('exit code 127'))
  expect(supervisor.status()[1]?.state).toBe('running')
})

test('a new supervisor adopts what one before it started, and restarts it when it dies', async () => {
  await want([spec('nap', ['sleep', '600'])])
  const first = supervise()
  await first.reload()
  const pid = pidOf(first, 'nap')!
  supervisors.splice(0) // the first one is as if killed: nobody asks it to stop
  const second = supervise()
  await second.reload()
  expect(pidOf(second, 'nap')).toBe(pid)
  await second.stop()
  expect(await procs.get(pid)).toBeUndefined()
  await first.stop()
})

test('a pid file whose pid now belongs to another process is not believed', async () => {
  await disk.write(join(runDir, 'nap.pid'), JSON.stringify({ pid: process.pid, startTicks: 1, hash: 'x' }))
  await want([spec('nap', ['sleep', '600'])])
  const supervisor = supervise()
  await supervisor.reload()
  expect(pidOf(supervisor, 'nap')).not.toBe(process.pid)
})

test('reload restarts only what changed and ends what is gone from the file', async () => {
  await want([spec('same', ['sleep', '600']), spec('changes', ['sleep', '601']), spec('goes', ['sleep', '602'])])
  const supervisor = supervise()
  await supervisor.reload()
  const before = Object.fromEntries(supervisor.status().map((s) => [s.name, s.pid]))
  await want([spec('same', ['sleep', '600']), spec('changes', ['sleep', '603'])])
  await supervisor.reload()
  expect(pidOf(supervisor, 'same')).toBe(before['same'])
  expect(pidOf(supervisor, 'changes')).not.toBe(before['changes'])
  expect(await procs.get(before['goes']!)).toBeUndefined()
  expect(supervisor.status().map((s) => s.name)).toEqual(['same', 'changes'])
})

test('a service that ignores SIGTERM is killed after its time', async () => {
  await want([spec('deaf', ['bash', '-c', 'trap "" TERM; echo deaf; while :; do sleep 0.05; done'], { stopTimeoutMs: 200 })])
  const supervisor = supervise()
  await supervisor.reload()
  const pid = pidOf(supervisor, 'deaf')!
  await vi.waitFor(async () => expect(await disk.read(join(runDir, 'deaf.log'))).toContain('deaf'))
  await supervisor.stop()
  expect(await procs.get(pid)).toBeUndefined()
})

test('the socket answers status and errors, and a second server leaves the first alone', async () => {
  const socket = join(runDir, 'supervisor.sock')
  await want([spec('nap', ['sleep', '600'])])
  const supervisor = supervise()
  await supervisor.reload()
  const server = await serveControl(socket, async (asked) => {
    if (asked.verb === 'restart') await supervisor.restart(asked.name)
    return { pid: 1, services: supervisor.status() }
  })
  expect((await askControl(socket, { verb: 'status' }, 1_000))?.services[0]?.state).toBe('running')
  await expect(askControl(socket, { verb: 'restart', name: 'nobody' }, 1_000)).rejects.toThrow('there is no service nobody')
  expect(await serveControl(socket, async () => ({ pid: 2, services: [] }))).toBeUndefined()
  server?.close()
})

test('nobody at the socket is an answer, not an error', async () => {
  expect(await askControl(join(runDir, 'supervisor.sock'), { verb: 'status' }, 1_000)).toBeUndefined()
})
