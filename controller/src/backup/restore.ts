/**
 * Restoring: a backup becomes the state folder of a controller, whole or not at all. Everything is laid down in a folder beside,
 * opened and settled there as the store itself does it, and takes its place by a rename.
 */
import { chmod, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type BackupHeader, type BackupLine, linesOf, open } from '@skerry/backup'
import { optionalSiteFiles, SkerryError, siteFiles } from '@skerry/contract'
import { tables } from '../engine/tables.ts'
import { readWhole, realDisk, writeWhole } from '../store/disk.ts'
import { loadSiteKey, lockFolder, openDocument, openSecrets, openStore } from '../store/index.ts'
import { layDown, type RowGroup } from '../store/lay-down.ts'
import { type Settled, settle } from './settle.ts'

export interface RestoreOptions {
  /** the backup's bytes */
  source: AsyncIterable<Uint8Array>
  passphrase?: string | undefined
  /** folder of the controller's own state */
  controllerDir: string
  /** folder below which the site's keys lie (`siteFiles`) */
  siteDir: string
  /** keep what is there beside, and take its place */
  replace: boolean
  now(): number
  newId(): string
  random(size: number): Buffer
  owner: { pid: number; hostName: string }
}

export interface Restored extends Settled {
  header: BackupHeader
  incarnation: number
  /** where the old state went */
  kept: string[]
}

/**
 * Positions are never used twice: facts of the lost history had numbers after the backup's, and readers tell facts apart by them. More
 * than any controller writes between two backups.
 */
const SEQ_GAP = 1_000_000_000

/** Throws `in-use` while a controller runs there or something is there, `backup-damaged`, `invalid-argument`; then nothing has changed. */
export async function restoreBackup(o: RestoreOptions): Promise<Restored> {
  const parent = dirname(o.controllerDir)
  await realDisk.mkdir(parent)
  const lock = await lockFolder(o.controllerDir, o.owner)
  const fresh = join(parent, `.${basename(o.controllerDir)}.restoring`)
  try {
    await needEmpty(o)
    await rm(fresh, { recursive: true, force: true })
    const { header, keys } = await unpack(o, fresh)
    await needKeys(o, fresh, keys)
    const settled = await openAndSettle(o, fresh, header)
    const kept = await putKeys(o, keys)
    kept.push(...(await takePlace(o, fresh)))
    return { header, ...settled, kept }
  } catch (error) {
    await rm(fresh, { recursive: true, force: true })
    throw error
  } finally {
    await lock.release()
  }
}

/** A site key alone is what a backup without keys needs, and says nothing about a state. */
const ALLOWED = new Set(['lock', basename(siteFiles.siteKey), basename(siteFiles.signers)])

async function needEmpty({ controllerDir, replace }: RestoreOptions): Promise<void> {
  const there = (await readdir(controllerDir)).filter((name) => !ALLOWED.has(name))
  if (there.length > 0 && !replace)
    throw new SkerryError('in-use', `${controllerDir} is not empty: --replace keeps it beside and takes its place`, {
      path: controllerDir,
      found: there.slice(0, 10),
    })
}

type Keys = Map<string, Buffer>

async function unpack(o: RestoreOptions, fresh: string): Promise<{ header: BackupHeader; keys: Keys }> {
  const lines = linesOf(open(o.source, o.passphrase))
  const first = await lines.next()
  if (first.done || first.value.line.kind !== 'header') throw new SkerryError('backup-damaged', 'the backup has no beginning')
  const { header } = first.value.line
  const keys: Keys = new Map()
  await realDisk.mkdir(`${fresh}/secrets`)
  const { contract, incarnation, epoch, at } = header
  const as = { contract, incarnation, epoch, at, seq: header.seq + SEQ_GAP }
  await layDown(realDisk, `${fresh}/log`, as, rowsUntilEnd(lines))
  for await (const { line } of lines) {
    if (line.kind !== 'file') continue
    if (line.part === 'keys') keys.set(line.file, line.data)
    else if (line.file.includes('/')) throw new SkerryError('backup-damaged', `${line.file} is no name of a secret`)
    else await writeWhole(realDisk, `${fresh}/secrets`, line.file, line.data)
  }
  return { header, keys }
}

async function* rowsUntilEnd(lines: AsyncGenerator<{ line: BackupLine }>): AsyncGenerator<RowGroup> {
  for (let next = await lines.next(); !next.done; next = await lines.next()) {
    const { line } = next.value
    if (line.kind === 'rows') yield { t: line.t, rows: line.rows }
    else if (line.kind === 'end-of-part') return
  }
}

/** Keys of the controller's own folder, which come with it; the others lie elsewhere below the site's. */
const OWN_KEYS = [siteFiles.siteKey, siteFiles.signers] as const

/** The site key comes with the backup, else it must be there already; and it must be the one that the secrets are under. */
async function needKeys(o: RestoreOptions, fresh: string, keys: Keys): Promise<void> {
  const there = (file: string) => readWhole(realDisk, `${o.controllerDir}/${basename(file)}`)
  const given = keys.get(siteFiles.siteKey) ?? (await there(siteFiles.siteKey))
  if (!given) {
    const path = `${o.controllerDir}/${basename(siteFiles.siteKey)}`
    throw new SkerryError('invalid-argument', `this backup holds no keys: put the site's own key at ${path} first`, { path })
  }
  await writeWhole(realDisk, fresh, basename(siteFiles.siteKey), given)
  const siteKey = await loadSiteKey(`${fresh}/${basename(siteFiles.siteKey)}`)
  await openSecrets({ dir: `${fresh}/secrets`, disk: realDisk, siteKey, random: o.random })
  // What is there is newer: a backup must not let back in who was shut out since.
  const signers = (await there(siteFiles.signers)) ?? keys.get(siteFiles.signers)
  if (signers) await writeWhole(realDisk, fresh, basename(siteFiles.signers), signers)
  const missing = Object.values(siteFiles).filter((file) => !optionalSiteFiles.includes(file) && !keys.has(file))
  if (keys.size > 0 && missing.length > 0)
    throw new SkerryError('backup-damaged', `keys are missing in the backup: ${missing.join(', ')}`, { missing })
  if (keys.size > 0 && !o.replace) await needSameKeys(o, keys)
}

const elsewhere = (keys: Keys) => [...keys].filter(([file]) => !(OWN_KEYS as readonly string[]).includes(file))

async function needSameKeys({ siteDir }: RestoreOptions, keys: Keys): Promise<void> {
  for (const [file, data] of elsewhere(keys)) {
    const there = await readWhole(realDisk, `${siteDir}/${file}`)
    if (there && !there.equals(data))
      throw new SkerryError('in-use', `${siteDir}/${file} is the key of another site: --replace keeps it beside`, { path: file })
  }
}

async function openAndSettle(o: RestoreOptions, fresh: string, header: BackupHeader): Promise<Settled & { incarnation: number }> {
  const limits = { reserveBytes: 0, autoSnapshot: false }
  const store = await openStore({ dir: `${fresh}/log`, disk: realDisk, tables, clock: o.now, newId: o.newId, limits })
  try {
    if (store.recovery.corrupt) throw store.recovery.corrupt
    const from = store.graph.seq
    const settled = await settle({ store, now: o.now, newId: o.newId, backup: header })
    const incarnation = await store.raiseIncarnation()
    const node = await openDocument(realDisk, `${fresh}/node.json`, { uuid: header.node, publishedSeq: from })
    await node.low.write()
    return { ...settled, incarnation }
  } finally {
    await store.close()
  }
}

async function putKeys({ siteDir, replace, now }: RestoreOptions, keys: Keys): Promise<string[]> {
  const kept: string[] = []
  for (const [file, data] of elsewhere(keys)) {
    const path = `${siteDir}/${file}`
    const there = await readWhole(realDisk, path)
    if (there?.equals(data)) continue
    await realDisk.mkdir(dirname(path))
    if (there && replace) {
      kept.push(`${path}.replaced-${now()}`)
      await rename(path, kept.at(-1)!)
    }
    await writeWhole(realDisk, dirname(path), basename(path), data)
    // It must be readable by whoever checks the server, and is no secret.
    if (file === siteFiles.caCert) await chmod(path, 0o644)
  }
  return kept
}

/** The rename that makes it real. What was there goes beside, or, where there was nothing, away. */
async function takePlace({ controllerDir, now }: RestoreOptions, fresh: string): Promise<string[]> {
  const was = (await readdir(controllerDir)).some((name) => !ALLOWED.has(name))
  const aside = `${controllerDir}.replaced-${now()}`
  await rename(controllerDir, aside)
  try {
    await rename(fresh, controllerDir)
  } catch (error) {
    await rename(aside, controllerDir)
    throw error
  }
  await realDisk.syncDir(dirname(controllerDir))
  if (was) return [aside]
  await rm(aside, { recursive: true, force: true })
  return []
}
