/** The lanes of `scripts/test`: what each runs, how long it took, and one line of counts at the end. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')
const inCi = process.argv.includes('--ci')

interface Counts {
  passed: number
  failed: number
  skipped: number
}

/** Runs a command with its output shown; gives its exit code. */
async function run(cmd: string, argv: readonly string[]): Promise<number> {
  const child = spawn(cmd, argv, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 1
}

/** A check that is no vitest suite counts as one test. */
async function step(name: string, cmd: string, argv: readonly string[]): Promise<Counts> {
  console.log(`\n== ${name}`)
  const failed = (await run(cmd, argv)) === 0 ? 0 : 1
  return { passed: 1 - failed, failed, skipped: 0 }
}

async function vitest(project: string, prefix: readonly string[] = [], more: readonly string[] = []): Promise<Counts> {
  const dir = await mkdtemp(join(tmpdir(), 'skerry-test-'))
  const report = join(dir, 'report.json')
  const argv = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...more,
  ]
  const [cmd = process.execPath, ...before] = [...prefix, process.execPath]
  const code = await run(cmd, [...before, ...argv])
  try {
    const {
      numPassedTests: passed,
      numFailedTests,
      numPendingTests: skipped,
    } = JSON.parse(await readFile(report, 'utf8')) as Record<string, number>
    // A suite that fails as a whole has no failed test of its own.
    const failed = code !== 0 && numFailedTests === 0 ? 1 : numFailedTests!
    return { passed: passed!, failed, skipped: skipped! }
  } catch (error) {
    console.error(`lane ${project} left no report`, error)
    return { passed: 0, failed: 1, skipped: 0 }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** A network and mount namespace of its own: bridges, routers, nft tables and named namespaces of the tests never meet the machine's. */
const ISOLATED = ['unshare', '--net', '--mount', '--propagation', 'private', join(root, 'scripts/lib/isolated')]

const lanes: Record<string, () => Promise<Counts[]>> = {
  fast: async () => [await step('check: bounds, sizes, format, lint, types', 'scripts/check', []), await vitest('fast')],
  async system() {
    if (process.getuid?.() !== 0) {
      console.error(
        '\n!! The system lane was NOT run: it needs root (namespaces, bridges, libvirtd). Run it as: sudo scripts/test system',
      )
      return [{ passed: 0, failed: inCi ? 1 : 0, skipped: 1 }]
    }
    const before = [
      await step('build', 'scripts/build', []),
      await step('guest image', process.execPath, ['--import', 'tsx', 'test/harness/build-guest.ts']),
      await vitest('online'),
    ]
    return [...before, await vitest('system', ISOLATED, ['--no-file-parallelism'])]
  },
  async lab() {
    console.log('\n== lab: there is no suite for the kernel lab yet (VLAN, ESP and bridge conntrack come with the networks)')
    return []
  },
}

const total: Counts = { passed: 0, failed: 0, skipped: 0 }
for (const name of process.argv.slice(2).filter((arg) => arg !== '--ci')) {
  const lane = lanes[name]
  if (!lane) throw new Error(`no such lane: ${name}; there are ${Object.keys(lanes).join(', ')}`)
  const start = Date.now()
  console.log(`\n==== lane ${name}`)
  for (const counts of await lane()) for (const key of Object.keys(total) as (keyof Counts)[]) total[key] += counts[key]
  console.log(`==== lane ${name}: ${((Date.now() - start) / 60_000).toFixed(1)} minutes`)
}
if (inCi && total.skipped > 0) {
  console.error(`\n${total.skipped} tests were skipped; in CI that is a failure`)
  total.failed += total.skipped
}
console.log(`\n${total.passed} passed, ${total.failed} failed`)
process.exit(total.failed > 0 ? 1 : 0)
