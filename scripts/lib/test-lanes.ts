/** How vitest is run: a project as a whole, or each of its files in a network of its own, some at a time. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'

export const root = join(import.meta.dirname, '../..')
const VITEST = 'node_modules/vitest/vitest.mjs'

export interface Counts {
  passed: number
  failed: number
  skipped: number
  /** What failed or was skipped: a name and the first lines of why, one entry each. */
  told: string[]
  /** Files with failures, and how long each took. */
  broken?: BrokenFile[]
}

export interface BrokenFile {
  project: string
  file: string
  failed: number
  ms: number
}

/** Runs a command with its output shown, or written to `fd`; gives its exit code. */
async function run(cmd: string, argv: readonly string[], fd?: number): Promise<number> {
  const out = fd ?? 'inherit'
  const child = spawn(cmd, argv, { cwd: root, stdio: ['ignore', out, out] })
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 1
}

/** A check that is no vitest suite counts as one test. */
export async function step(name: string, cmd: string, argv: readonly string[]): Promise<Counts> {
  console.log(`\n== ${name}`)
  const code = await run(cmd, argv)
  const failed = code === 0 ? 0 : 1
  return { passed: 1 - failed, failed, skipped: 0, told: failed ? [`FAILED ${name}: exit code ${code}`] : [] }
}

export interface VitestRun {
  project: string
  /** What vitest is run under. */
  prefix?: readonly string[]
  more?: readonly string[]
  /** Where its output goes. Default: shown. */
  fd?: number
}

/** The part that is read of vitest's JSON report. */
interface Report {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  testResults: {
    name: string
    status: string
    startTime: number
    endTime: number
    message?: string
    assertionResults: { fullName: string; status: string; failureMessages?: string[] }[]
  }[]
}

function toldOf({ testResults }: Report): string[] {
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = relative(root, name)
    const tests = assertionResults.flatMap(({ fullName, status, failureMessages }) => {
      if (status === 'failed') return [`FAILED ${file}: ${fullName}\n${firstLines(failureMessages?.[0])}`]
      return status === 'passed' ? [] : [`SKIPPED ${file}: ${fullName}`]
    })
    const whole = status === 'failed' && !tests.some((line) => line.startsWith('FAILED'))
    return whole ? [`FAILED ${file}, as a whole\n${firstLines(message)}`, ...tests] : tests
  })
}

function brokenOf({ testResults }: Report, project: string): BrokenFile[] {
  return testResults
    .filter(({ status }) => status === 'failed')
    .map(({ name, startTime, endTime, assertionResults }) => ({
      ...{ project, file: relative(root, name), ms: endTime - startTime },
      failed: Math.max(1, assertionResults.filter(({ status }) => status === 'failed').length),
    }))
}

function firstLines(text = ''): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  return lines
    .map((line) => `    ${line.slice(0, 300)}`)
    .slice(0, 8)
    .join('\n')
}

export async function vitest({ project, prefix = [], more = [], fd }: VitestRun): Promise<Counts> {
  const dir = await mkdtemp(join(tmpdir(), 'skerry-test-'))
  const report = join(dir, 'report.json')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const [cmd = process.execPath, ...before] = [...prefix, process.execPath]
  const code = await run(cmd, [...before, VITEST, 'run', '--project', project, ...reporters, ...more], fd)
  try {
    const parsed = JSON.parse(await readFile(report, 'utf8')) as Report
    const { numPassedTests: passed, numFailedTests, numPendingTests: skipped } = parsed
    const told = toldOf(parsed)
    // A suite that fails as a whole has no failed test of its own.
    const failed = code !== 0 && numFailedTests === 0 ? 1 : numFailedTests
    if (failed > 0 && told.length === 0) told.push(`FAILED ${[project, ...more].join(' ')}: exit code ${code}, no test failed`)
    return { passed, failed, skipped, told, broken: brokenOf(parsed, project) }
  } catch (error) {
    return { passed: 0, failed: 1, skipped: 0, told: [`FAILED ${[project, ...more].join(' ')}: left no report: ${error}`] }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/**
 * Namespaces of its own: bridges, routers, nft tables and named namespaces of the tests never meet the machine's, and whatever is
 * still running when a suite ends, or is interrupted, ends with it.
 */
const NAMESPACES = ['--net', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc']
const ISOLATED = ['unshare', ...NAMESPACES, join(root, 'scripts/lib/isolated')]
/** Two real sites at once leave no processor idle: each waits much, for boots, leases and pauses. */
const AT_ONCE = 2
/** Those of minutes begin first, so that none of them is the last one alone. */
const LONG = ['log-kill', 'guest-will', 'guest-faults', 'alone.', 'guest.', 'images.', 'up.', 'snapshots.', 'backup.']

/** Each file of a project on a network of its own, so that none can live off, or stumble over, what another left behind. */
export async function vitestByFile(project: string): Promise<Counts[]> {
  const files = await filesOf(project)
  const rank = (file: string) => LONG.findIndex((name) => file.includes(`/${name}`)) >>> 0
  const waiting = files.sort((a, b) => rank(a) - rank(b))
  const results: Counts[] = []
  const worker = async () => {
    for (let file = waiting.shift(); file; file = waiting.shift()) results.push(await alone(project, file))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return results
}

/** A file of any project again, with the machine to itself. */
export const again = ({ project, file }: BrokenFile): Promise<Counts> =>
  project === 'system' || project === 'guests' ? alone(project, file) : vitest({ project, more: [file] })

async function filesOf(project: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [VITEST, 'list', '--project', project, '--filesOnly', '--json'],
    {
      cwd: root,
    },
  )
  return (JSON.parse(stdout) as { file: string }[]).map(({ file }) => relative(root, file))
}

/** What it prints is shown when it ends, so that lines of two never mix. */
async function alone(project: string, file: string): Promise<Counts> {
  const dir = await mkdtemp(join(tmpdir(), 'skerry-test-'))
  const path = join(dir, 'output')
  const output = await open(path, 'w')
  try {
    const counts = await vitest({ project, prefix: ISOLATED, more: [file], fd: output.fd })
    process.stdout.write(`\n== ${file}\n${await readFile(path, 'utf8')}`)
    return counts
  } finally {
    await output.close()
    await rm(dir, { recursive: true, force: true })
  }
}
