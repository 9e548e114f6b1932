/** A backup of a controller that goes on writing, and what becomes of it: one position, whole or nothing, newer than all before. */
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { backupText, linesOf, readFileChunks, seal, withKeys, writeBackupFile } from '@skerry/backup'
import { type Row, siteFiles } from '@skerry/contract'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type RestoreOptions, restoreBackup } from '../src/backup/restore.ts'
import { backupStream } from '../src/backup/stream.ts'
import { tables } from '../src/engine/tables.ts'
import { type Disk, lockFolder, openSecrets, openStore, realDisk, type Store } from '../src/store/index.ts'

let dir: string
let store: Store
let n: number
const newId = () => (n++).toString(16).padStart(32, '0')
const siteKey = randomBytes(32)
const PASSPHRASE = 'correct horse battery'
const limits = { reserveBytes: 0 }
const files = Object.values(siteFiles)
const keys = files.map((file) => ({
  file,
  data: (file === siteFiles.siteKey ? siteKey : Buffer.from(`key ${file}`)).toString('base64'),
}))
const zone = (uuid: string, name: string): Row => ({ uuid, name, state: 'Enabled', createDate: 1 })
const put = (k: string, name: string) => store.commit({ ops: [{ o: 'put', t: 'zone', k, v: zone(k, name) }] }, { actor: 'test' })

beforeEach(async () => {
  n = 1
  dir = await mkdtemp(join(tmpdir(), 'skerry-backup-'))
  store = await openStore({ dir: `${dir}/old/log`, disk: realDisk, tables, clock: () => 7, newId, limits })
})
afterEach(async () => {
  await store.close()
  await rm(dir, { recursive: true, force: true })
})

const stream = (disk: Disk = realDisk) =>
  backupStream({
    ...{ store, disk, secretsDir: `${dir}/old/secrets`, nodeUuid: newId(), now: () => 1_000 },
    ...{ monotonic: () => performance.now(), pause: () => new Promise((resolve) => setImmediate(resolve)) },
  })
/** Writes a backup with everything that a site has; gives its path. */
async function backup(
  source: AsyncIterable<Uint8Array> = stream(),
  passphrase: string | undefined = PASSPHRASE,
): Promise<string> {
  const path = `${dir}/backup`
  const whole = withKeys(source, keys)
  await writeBackupFile({ path }, passphrase ? seal(whole, passphrase, 4) : whole)
  return path
}
const options = (file: string, o: Partial<RestoreOptions> = {}): RestoreOptions => ({
  ...{ source: readFileChunks(file), passphrase: PASSPHRASE, controllerDir: `${dir}/new/controller`, siteDir: `${dir}/new` },
  ...{ replace: false, now: () => 9_000, newId, random: randomBytes, owner: { pid: process.pid, hostName: 'here' }, ...o },
})
const reopened = async (path = `${dir}/new/controller`): Promise<Store> =>
  openStore({ dir: `${path}/log`, disk: realDisk, tables, clock: () => 9_000, newId, limits })
const namesIn = (s: Store) => [...s.graph.rows('zone')].map(([, row]) => row['name']).sort()

describe('a backup', () => {
  it('is as of one commit while writes go on: all of those before it, none after', async () => {
    for (let i = 0; i < 500; i++) await put(`before${i}`, `before${i}`)
    let at = 0
    const lines: string[] = []
    let wrote = 0
    for await (const { line, json } of linesOf(stream())) {
      if (line.kind === 'header') at = line.header.seq
      lines.push(json)
      // between two lines somebody changes, deletes and adds
      await store.commit(
        {
          ops: [
            { o: 'put', t: 'zone', k: `before${wrote}`, v: zone('x', 'changed') },
            { o: 'del', t: 'zone', k: `before${499 - wrote}` },
          ],
        },
        { actor: 'test' },
      )
      await put(`after${wrote++}`, 'after')
    }
    expect(wrote).toBeGreaterThan(8)
    expect(at).toBe(500)
    const text = lines.join('\n')
    expect([text.includes('"after'), text.includes('changed')]).toEqual([false, false])
    expect([...text.matchAll(/"name":"before/g)]).toHaveLength(500)
  })

  it('holds no more than what is durable', async () => {
    let last: Promise<unknown> | undefined
    // a commit that is in memory when the view is taken, and not on the disk
    const list = async () => {
      last ??= put('z', 'z')
      return []
    }
    const first = (await linesOf(stream({ ...realDisk, list })).next()).value!.line
    expect([first, store.status().durableSeq]).toMatchObject([{ kind: 'header', header: { seq: 1 } }, 1])
    await last
  })

  it('has every secret that its rows refer to, also one that is stored while it begins', async () => {
    const secrets = await openSecrets({ dir: `${dir}/old/secrets`, disk: realDisk, siteKey, random: randomBytes })
    const ids = [await secrets.put('early')]
    const list = async (folder: string) => {
      const files = await realDisk.list(folder)
      if (ids.length === 1) {
        ids.push(await secrets.put('late'))
        await put('z', ids[1]!)
      }
      return files
    }
    const restored = await restoreBackup(options(await backup(stream({ ...realDisk, list }))))
    expect(restored.header.seq).toBe(1)
    const again = await openSecrets({ dir: `${dir}/new/controller/secrets`, disk: realDisk, siteKey, random: randomBytes })
    expect([await again.get(ids[0]!), await again.get(ids[1]!)]).toEqual(['early', 'late'])
  })

  it('is readable by its owner only, and shows none of the site’s keys', async () => {
    const path = await backup()
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const bytes = await readFile(path, 'latin1')
    for (const { data } of keys) expect(bytes).not.toContain(data)
    expect(await readdir(dir)).toEqual(['backup', 'old'])
  })

  it('that cannot be written leaves what was there, and nothing half-made', async () => {
    await writeFile(`${dir}/backup`, 'yesterday')
    const broken = async function* () {
      yield Buffer.from('half')
      throw new Error('the wire broke')
    }
    await expect(writeBackupFile({ path: `${dir}/backup` }, broken())).rejects.toThrow(/cannot write/)
    expect(await readFile(`${dir}/backup`, 'utf8')).toBe('yesterday')
    expect(await readdir(dir)).toEqual(['backup', 'old'])
  })
})

describe('a restore', () => {
  it('brings back the rows and the keys, as a history newer than all before', async () => {
    await put('a', 'one')
    const restored = await restoreBackup(options(await backup()))
    expect(restored).toMatchObject({ incarnation: 2, failedJobs: 0, kept: [] })
    const fresh = await reopened()
    expect(namesIn(fresh)).toEqual(['one'])
    expect([fresh.incarnation, fresh.recovery.corrupt]).toEqual([2, undefined])
    // positions of the lost history are not used again
    expect(fresh.graph.seq).toBeGreaterThan(1_000_000_000)
    await fresh.commit({ ops: [{ o: 'put', t: 'zone', k: 'b', v: zone('b', 'two') }] }, { actor: 'test' })
    await fresh.close()
    const again = await reopened()
    expect([namesIn(again), again.incarnation]).toEqual([['one', 'two'], 2])
    await again.close()
    for (const { file, data } of keys) expect((await readFile(`${dir}/new/${file}`)).toString('base64')).toBe(data)
    for (const file of files) if (file !== siteFiles.caCert) expect((await stat(`${dir}/new/${file}`)).mode & 0o077).toBe(0)
  })

  it('ends jobs that were under way, drops tombstones, tokens and sessions, and waits for every agent', async () => {
    const job = {
      uuid: 'j',
      api: 'X',
      workflow: 'gone.away',
      version: 1,
      accountUuid: 'a',
      state: 'processing',
      input: {},
      steps: ['s'],
      error: null,
    }
    const ops = [
      ['job', 'j', job],
      ['desired', 'ag/vm/1', { agentUuid: 'ag', noun: 'vm', uuid: '1', of: 'vm/1', hash: '', tombstone: true }],
      ['agentToken', 't', { expiresAt: 1 }],
      ['session', 's', { expiredDate: 1 }],
      ['agent', 'ag', { uuid: 'ag', kind: 'kvm', hostUuid: null }],
    ] as const
    await store.commit({ ops: ops.map(([t, k, v]) => ({ o: 'put', t, k, v })) }, { actor: 'test' })
    expect(await restoreBackup(options(await backup()))).toMatchObject({ failedJobs: 1, agents: 1 })
    const { graph, close } = await reopened().then((s) => ({ graph: s.graph, close: () => s.close() }))
    expect(graph.get('job', 'j')).toMatchObject({ state: 'failed', error: { code: 'restored' } })
    expect(['desired', 'agentToken', 'session', 'reunion'].map((t) => graph.count(t))).toEqual([0, 0, 0, 1])
    await close()
  })

  it('refuses a folder with a state in it, and with --replace keeps that beside', async () => {
    await put('a', 'one')
    const file = await backup()
    await restoreBackup(options(file))
    await expect(restoreBackup(options(file))).rejects.toThrow(/is not empty/)
    const again = await restoreBackup(options(file, { replace: true }))
    expect(again.kept).toEqual([`${dir}/new/controller.replaced-9000`])
    expect(await readdir(`${dir}/new/controller.replaced-9000`)).toContain('log')
    const kept = await reopened(`${dir}/new/controller.replaced-9000`)
    expect(namesIn(kept)).toEqual(['one'])
    await kept.close()
  })

  it('refuses while a controller runs there, a wrong passphrase, a missing one, and another site’s keys', async () => {
    const file = await backup()
    const refused = async (because: RegExp, o: Partial<RestoreOptions> = {}) => {
      await expect(restoreBackup(options(file, o))).rejects.toThrow(because)
      expect((await readdir(`${dir}/new`)).filter((name) => name !== 'controller' && name !== 'ca')).toEqual([])
      expect((await readdir(`${dir}/new/controller`)).filter((name) => name !== 'lock')).toEqual([])
    }
    await refused(/passphrase does not open/, { passphrase: 'not this one at all' })
    await refused(/is encrypted/, { passphrase: undefined })
    await mkdir(`${dir}/new/ca`)
    await writeFile(`${dir}/new/ca/ca.key`, 'of another site')
    await refused(/key of another site/)
    await rm(`${dir}/new/ca`, { recursive: true })
    const running = await lockFolder(`${dir}/new/controller`, { pid: 1, hostName: 'there' })
    await expect(restoreBackup(options(file))).rejects.toMatchObject({ code: 'in-use' })
    await running.release()
  })

  it('needs the site’s own key where the backup has none', async () => {
    await openSecrets({ dir: `${dir}/old/secrets`, disk: realDisk, siteKey, random: randomBytes })
    await writeBackupFile({ path: `${dir}/backup` }, stream())
    await expect(restoreBackup(options(`${dir}/backup`))).rejects.toThrow(/put the site's own key at/)
    await writeFile(`${dir}/new/controller/site.key`, randomBytes(32), { mode: 0o600 })
    await expect(restoreBackup(options(`${dir}/backup`))).rejects.toThrow(/not the one that the stored secrets/)
    await writeFile(`${dir}/new/controller/site.key`, siteKey, { mode: 0o600 })
    expect((await restoreBackup(options(`${dir}/backup`))).header.seq).toBe(0)
  })

  it('takes nothing of a backup that is damaged anywhere', async () => {
    for (let i = 0; i < 40; i++) await put(`z${i}`, `zone ${i}`)
    const file = await backup(stream(), '')
    const good = await readFile(file)
    for (let i = 0; i < 60; i++) {
      const bad = Buffer.from(good)
      bad[Math.floor((good.length * i) / 60)]! ^= 0x01
      await writeFile(file, bad)
      await expect(restoreBackup(options(file))).rejects.toMatchObject({ code: 'backup-damaged' })
    }
    for (const length of [0, 1, good.length - 1, Math.floor(good.length / 2)]) {
      await writeFile(file, good.subarray(0, length))
      await expect(restoreBackup(options(file))).rejects.toMatchObject({ code: 'backup-damaged' })
    }
    expect((await readdir(`${dir}/new/controller`)).filter((name) => name !== 'lock')).toEqual([])
    await writeFile(file, good)
    await restoreBackup(options(file))
  })

  it('finds damage in an encrypted one too', async () => {
    for (let i = 0; i < 40; i++) await put(`z${i}`, `zone ${i}`)
    const file = await backup()
    const bad = await readFile(file)
    bad[bad.length - 40]! ^= 0x01
    await writeFile(file, bad)
    await expect(restoreBackup(options(file))).rejects.toMatchObject({ code: 'backup-damaged' })
  })

  it('refuses a backup of a newer version', async () => {
    const header = { skerry: 'backup', v: 1, contract: 99, incarnation: 1, seq: 1, epoch: 0, at: 1, node: newId() } as const
    await writeBackupFile({ path: `${dir}/backup` }, backupText(header, []))
    await expect(restoreBackup(options(`${dir}/backup`))).rejects.toMatchObject({ code: 'log-newer' })
  })
})
