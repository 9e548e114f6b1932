/**
 * One process at a time in a state folder. The lock is flock(2) on a file in it: the kernel releases it when its owner dies,
 * it is gone after a power cut, and it holds between containers that share the folder, where sockets and pids of one are
 * unknown to the other. Node has no flock, but flock belongs to the open file and not to a process: the `flock` program
 * (util-linux, busybox) locks a file that we opened and hand to it, and the lock stays with us when it has ended.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { promisify } from 'node:util'
import { SkerryError } from '@skerry/contract'
import { errno, isFull, realDisk, writeFailure } from './disk.ts'

/** Never removed: who waits for a removed file's lock and who makes a new one would both get theirs. */
const LOCK = 'lock'
/** `flock --nonblock` found another owner. */
const HELD = 1

export interface FolderLock {
  release(): Promise<void>
}

/** Who is asking, for the error that the next one gets. */
export interface LockOwner {
  pid: number
  hostName: string
}

/** Locks a folder, making it where there is none. Throws `in-use` with the owner's pid while another process has it. */
export async function lockFolder(dir: string, owner: LockOwner): Promise<FolderLock> {
  const path = `${dir}/${LOCK}`
  await realDisk.mkdir(dir)
  const fd = await openLock(path)
  try {
    if ((await flock(fd, path)) === HELD) throw inUse(dir, ownerIn(path))
    note(path, owner)
  } catch (thrown) {
    await close(fd)
    throw thrown
  }
  return { release: () => close(fd) }
}

// A bare descriptor: a FileHandle that nobody holds is closed by the garbage collector, and the lock would go with it.
const open = promisify(fs.open)
const close = promisify(fs.close)

async function openLock(path: string): Promise<number> {
  try {
    return await open(path, 'a+', 0o600)
  } catch (thrown) {
    if (errno(thrown) !== 'EROFS') throw writeFailure(thrown, path)
    return open(path, 'r')
  }
}

/** Exit code of `flock`, which locks the open file that it inherits as descriptor 3. */
async function flock(fd: number, path: string): Promise<number> {
  const child = spawn('flock', ['-x', '-n', '3'], { stdio: ['ignore', 'ignore', 'pipe', fd] })
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text))
  let code: number | null
  try {
    ;[code] = (await once(child, 'close')) as [number | null]
  } catch (cause) {
    throw new SkerryError(
      'internal',
      `cannot lock ${path}: the program flock cannot be started (package util-linux)`,
      { path },
      { cause },
    )
  }
  if (code === 0 || (code === HELD && said === '')) return code
  throw new SkerryError('internal', `cannot lock ${path}: flock ended with ${code}`, { path, said })
}

/** Only for people: on a full or read-only disk the lock holds without it. */
function note(path: string, owner: LockOwner): void {
  try {
    fs.writeFileSync(path, JSON.stringify(owner))
  } catch (thrown) {
    if (!isFull(thrown) && errno(thrown) !== 'EROFS') throw writeFailure(thrown, path)
  }
}

function ownerIn(path: string): Partial<LockOwner> {
  try {
    return JSON.parse(fs.readFileSync(path, 'utf8')) as Partial<LockOwner>
  } catch {
    // Its owner is writing at this moment, or the disk was full: the lock counts, not the note.
    return {}
  }
}

function inUse(dir: string, { pid, hostName }: Partial<LockOwner>): SkerryError {
  const who = pid === undefined ? 'another process' : `process ${pid} on ${hostName}`
  return new SkerryError('in-use', `the state folder ${dir} is in use by ${who}: end that one first, or name another folder`, {
    path: dir,
    ...(pid === undefined ? {} : { pid, hostName }),
  })
}
