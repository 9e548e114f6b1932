/** Storage servers are looked at: what is recorded of it, and what is not. */
import { type Row, SFTP_AGAIN_MS, SkerryError } from '@skerry/contract'
import { beforeEach, expect, it } from 'vitest'
import { findingsOf, type Sources, scopeOf } from '../src/conditions/scopes.ts'
import { SftpWatch } from '../src/tasks/sftp-watch.ts'
import { base, GIB, id, makeWorld, type TestWorld, u } from './world.ts'
import { site } from './world-site.ts'

const server = id('server')
const KEY = `SHA256:${'A'.repeat(43)}`
let w: TestWorld
let answer: () => Promise<Row>
let watch: SftpWatch
let commits: number
let pauses: number[]
beforeEach(async () => {
  w = await makeWorld()
  await site(w)
  const fields = {
    url: '/srv/images',
    type: 'SftpBackupStorage',
    state: 'Enabled',
    status: 'Connected',
    hostname: 'a.test',
    sshPort: 22,
  }
  const more = { totalCapacity: 100 * GIB, availableCapacity: 90 * GIB, attachedZoneUuids: [], agentUuid: null, hostKey: KEY }
  await w.commit({ ops: [{ o: 'put', t: 'backupStorage', k: server, v: { ...base(server, 'server'), ...fields, ...more } }] })
  answer = async () => ({ hostKey: KEY, totalBytes: 100 * GIB, availableBytes: 90 * GIB, usedBytes: 10 * GIB })
  commits = 0
  pauses = []
  watch = new SftpWatch({
    graph: w.state.graph,
    agents: { alive: () => true, command: () => answer() },
    newId: () => id('c'),
    monotonic: () => 0,
    pause: async (ms) => void pauses.push(ms),
    commit: async (change) => {
      commits += 1
      await w.commit(change)
    },
    report: (error) => {
      throw error
    },
  })
})
const row = () => w.state.graph.get('backupStorage', server)!
const told = () => findingsOf(scopeOf.storage(server), { graph: w.state.graph } as Sources)
const away = () => Promise.reject(new SkerryError('storage-unreachable', 'nobody answers'))

it('a server that is as it was costs no commit, nor does free space that moved by less than a hundredth', async () => {
  await watch.sweep()
  answer = async () => ({ hostKey: KEY, totalBytes: 100 * GIB, availableBytes: 90.5 * GIB, usedBytes: 9.5 * GIB })
  await watch.sweep()
  expect(commits).toBe(0)
  answer = async () => ({ hostKey: KEY, totalBytes: 100 * GIB, availableBytes: 80 * GIB, usedBytes: 20 * GIB })
  await watch.sweep()
  expect([commits, row()['availableCapacity']]).toEqual([1, 80 * GIB])
})

it('one that is away is Disconnected with its reason, once, has a condition, and is Connected again when it answers', async () => {
  answer = away
  await watch.sweep()
  await watch.sweep()
  expect([commits, row()['status'], row()['disconnectCause']]).toEqual([
    1,
    'Disconnected',
    { code: 'storage-unreachable', message: 'nobody answers' },
  ])
  expect(told()).toMatchObject([
    { code: 'storage-server-away', uuid: server, message: expect.stringContaining('nobody answers') },
  ])
  answer = () => Promise.reject(new SkerryError('storage-host-key', 'another server answers'))
  await watch.sweep()
  expect(told()[0]?.message).toContain('another server answers')
  answer = async () => ({ hostKey: KEY, totalBytes: 100 * GIB, availableBytes: 90 * GIB, usedBytes: 10 * GIB })
  await watch.sweep()
  expect([commits, row()['status'], row()['disconnectCause'], told()]).toEqual([3, 'Connected', null, []])
})

it('a single failure is not believed: it is asked once more after a pause', async () => {
  let asked = 0
  const well = answer
  answer = () => (++asked === 1 ? away() : well())
  await watch.sweep()
  expect([asked, pauses, commits, row()['status']]).toEqual([2, [SFTP_AGAIN_MS], 0, 'Connected'])
})

it('one that is being added, and one that has not answered yet, is not asked', async () => {
  let asked = 0
  let end: () => void = () => undefined
  answer = () => {
    asked += 1
    return new Promise((resolve) => (end = () => resolve({ hostKey: KEY, totalBytes: 1, availableBytes: 1, usedBytes: 0 })))
  }
  const first = watch.sweep()
  await watch.sweep()
  expect(asked).toBe(1)
  end()
  await first
  await w.commit({ ops: [{ o: 'set', t: 'backupStorage', k: server, v: { status: 'Connecting' } }] })
  await watch.sweep()
  expect([asked, row()['status']]).toEqual([1, 'Connecting'])
})

it('without any agent-storage that is there it counts as away, and says so', async () => {
  const ops = [{ o: 'set' as const, t: 'agent', k: u.storage, v: { revokedDate: 1 } }]
  await w.commit({ ops })
  await watch.sweep()
  expect(row()['disconnectCause']).toMatchObject({ code: 'agent-absent' })
})
