/**
 * qemu-img. Formats are always named, never guessed by qemu; an image from outside must have passed image-guard before it
 * comes here. Memory and CPU are bounded by prlimit, because a crafted image may ask for any amount.
 */
import { path as pathScalar, SkerryError } from '@skerry/contract'
import { z } from 'zod'
import type { Exec, RunOptions, RunResult } from './exec.ts'
import type { Files } from './files.ts'
import { checkInput, parseToolJson } from './parse-json.ts'

export type DiskFormat = 'raw' | 'qcow2'
export interface DiskRef {
  path: string
  format: DiskFormat
}

export interface DiskInfo {
  path: string
  format: string
  virtualSizeBytes: number
  allocatedBytes: number
  /** As written in the image; undefined: it stands alone. */
  backingPath?: string
  backingFormat?: string
}

export interface DiskSpec extends DiskRef {
  /** May be absent for an overlay: then as large as what it lies over. */
  sizeBytes?: number
  /** Makes it an overlay; only for qcow2. */
  backing?: DiskRef
}

export interface ConvertSpec {
  from: DiskRef
  to: DiskRef
  /** Compressed clusters; only for qcow2. */
  compress?: boolean
  /** 0–100, as qemu-img reports it. */
  onProgress?: (percent: number) => void
  timeoutMs: number
  signal?: AbortSignal
}

export interface RebaseSpec {
  disk: DiskRef
  /** What it lies on from then on; null: nothing, it stands alone. */
  onto: DiskRef | null
  /** 0–100, as qemu-img reports it. */
  onProgress?: (percent: number) => void
  timeoutMs: number
  signal?: AbortSignal
}

export interface CommitSpec {
  disk: DiskRef
  timeoutMs: number
  signal?: AbortSignal
}

export interface DiskCheck {
  corruptions: number
  leaks: number
}

export interface QemuImg {
  /** The image and all that it lies on, the image first. Works on one that a guest has open. */
  info(disk: DiskRef): Promise<DiskInfo[]>
  /** Refuses to replace a file. */
  create(spec: DiskSpec): Promise<void>
  /** Larger only. */
  resize(disk: DiskRef, sizeBytes: number): Promise<void>
  /** The target must not exist; on failure it is the caller's to remove. */
  convert(spec: ConvertSpec): Promise<void>
  /**
   * Makes it lie on another disk, with the content that it has: what the chain between the two holds is copied into it first. Cut off
   * at any moment, its content is the same. Fails when a guest has it open.
   */
  rebase(spec: RebaseSpec): Promise<void>
  /** Writes what it holds into the disk that it lies on; it stays as it is. Cut off at any moment, its content is the same. */
  commit(spec: CommitSpec): Promise<void>
  /** Reads all metadata; repairs nothing. Only qcow2 has any. */
  check(disk: DiskRef): Promise<DiskCheck>
}

const GIB = 1024 ** 3
const QUICK: Limits = { memoryBytes: GIB, cpuSeconds: 30 }
/** CPU of a long copy is bounded by its time-out only. */
const COPY: Limits = { memoryBytes: 4 * GIB }
interface Limits {
  memoryBytes: number
  cpuSeconds?: number
}

/** Each write is on the disk before the next: a header must never say what the data of its image doesn't hold yet. */
const DURABLE = ['-t', 'writethrough'] as const

const disk = z.object({ path: pathScalar, format: z.enum(['raw', 'qcow2']) })
const infoShape = z.array(
  z.object({
    filename: z.string(),
    format: z.string(),
    'virtual-size': z.number(),
    'actual-size': z.number().default(0),
    'backing-filename': z.string().optional(),
    'backing-filename-format': z.string().optional(),
  }),
)
const checkShape = z.object({ corruptions: z.number().default(0), leaks: z.number().default(0), 'check-errors': z.number() })

/** The real qemu-img. */
export function qemuImg(exec: Exec, files: Files): QemuImg {
  const run = limited(exec)
  return {
    async info(ref) {
      const { path, format } = checkInput('disk', ref, disk)
      // -U: no lock, because a running guest holds it
      const { stdout } = await run(['info', '-U', '--output=json', '--backing-chain', '-f', format, path], QUICK)
      return parseToolJson('qemu-img', stdout, infoShape).map(toInfo)
    },
    async create(spec) {
      const { path, format } = checkInput('disk', spec, disk)
      await requireAbsent(files, path)
      await run(
        [
          'create',
          '-q',
          '-f',
          format,
          ...createArgs(spec),
          path,
          ...(spec.sizeBytes !== undefined ? [String(spec.sizeBytes)] : []),
        ],
        QUICK,
      )
    },
    async resize(ref, sizeBytes) {
      const { path, format } = checkInput('disk', ref, disk)
      await run(['resize', '-q', '-f', format, path, String(checkInput('size', sizeBytes, z.number().int().positive()))], QUICK)
    },
    async convert(spec) {
      const from = checkInput('disk', spec.from, disk)
      const to = checkInput('disk', spec.to, disk)
      await requireAbsent(files, to.path)
      const { onProgress } = spec
      // -p prints "    (12.34/100%)\r" to stdout; a chunk may be cut anywhere, then the next one tells.
      const onStdout = onProgress && ((text: string) => lastPercent(text, onProgress))
      const args = [
        'convert',
        '-p',
        '-U',
        '-f',
        from.format,
        '-O',
        to.format,
        ...(spec.compress ? ['-c'] : []),
        from.path,
        to.path,
      ]
      await run(args, COPY, { timeoutMs: spec.timeoutMs, signal: spec.signal, onStdout })
    },
    async rebase(spec) {
      const { path, format } = checkInput('disk', spec.disk, disk)
      const onto = spec.onto && checkInput('backing disk', spec.onto, disk)
      const { onProgress, timeoutMs, signal } = spec
      const onStdout = onProgress && ((text: string) => lastPercent(text, onProgress))
      const below = onto ? ['-F', onto.format, '-b', onto.path] : ['-b', '']
      await run(['rebase', '-p', ...DURABLE, '-f', format, ...below, path], COPY, { timeoutMs, signal, onStdout })
    },
    async commit({ disk: ref, timeoutMs, signal }) {
      const { path, format } = checkInput('disk', ref, disk)
      // -d: what it held is not thrown away, because then a cut would lose it
      await run(['commit', '-q', '-d', ...DURABLE, '-f', format, path], COPY, { timeoutMs, signal })
    },
    async check(ref) {
      const { path, format } = checkInput('disk', ref, disk)
      if (format === 'raw') return { corruptions: 0, leaks: 0 }
      // 2: corruptions found, 3: leaks found; both print the report
      const { stdout } = await run(['check', '-U', '--output=json', '-f', format, path], COPY, {
        timeoutMs: 600_000,
        okCodes: [0, 2, 3],
      })
      const found = parseToolJson('qemu-img', stdout, checkShape)
      return { corruptions: found.corruptions + found['check-errors'], leaks: found.leaks }
    },
  }
}

function createArgs(spec: DiskSpec): string[] {
  if (!spec.backing) {
    if (spec.sizeBytes === undefined) throw new SkerryError('invalid-argument', 'a disk that lies over nothing needs a size')
    return []
  }
  if (spec.format !== 'qcow2')
    throw new SkerryError('invalid-argument', 'only a qcow2 disk can lie over another', { format: spec.format })
  const backing = checkInput('backing disk', spec.backing, disk)
  return ['-b', backing.path, '-F', backing.format]
}

function toInfo(info: z.infer<typeof infoShape>[number]): DiskInfo {
  return {
    path: info.filename,
    format: info.format,
    virtualSizeBytes: info['virtual-size'],
    allocatedBytes: info['actual-size'],
    ...(info['backing-filename'] !== undefined ? { backingPath: info['backing-filename'] } : {}),
    ...(info['backing-filename-format'] !== undefined ? { backingFormat: info['backing-filename-format'] } : {}),
  }
}

function lastPercent(text: string, onProgress: (percent: number) => void): void {
  const last = [...text.matchAll(/\((\d+(?:\.\d+)?)\/100%\)/g)].at(-1)?.[1]
  if (last !== undefined) onProgress(Number(last))
}

/** qemu-img would silently write over a file that is there. */
async function requireAbsent(files: Files, path: string): Promise<void> {
  if ((await files.stat(path)) !== undefined)
    throw new SkerryError('in-use', `${path} exists already, so no disk is made there`, { path })
}

type LimitedRun = (args: readonly string[], limits: Limits, opts?: Partial<RunOptions>) => Promise<RunResult>

function limited(exec: Exec): LimitedRun {
  let present: Promise<boolean> | undefined
  const hasPrlimit = () => {
    present ??= exec.run('prlimit', ['--version'], { timeoutMs: 5_000 }).then(
      () => true,
      () => false, // not installed: the time-out is then the only bound
    )
    return present
  }
  return async (args, limits, opts = {}) => {
    const options = { timeoutMs: 60_000, ...opts }
    if (!(await hasPrlimit())) return exec.run('qemu-img', args, options)
    const bounds = [`--as=${limits.memoryBytes}`, ...(limits.cpuSeconds ? [`--cpu=${limits.cpuSeconds}`] : [])]
    return exec.run('prlimit', [...bounds, '--', 'qemu-img', ...args], options)
  }
}
