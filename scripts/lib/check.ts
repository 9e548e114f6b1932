/** `scripts/check`: bounds, sizes, format, lint and types, in one go. Prints every breach; exit code 1 if there is one. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkBounds } from './bounds.ts'
import { readPackages, sources } from './packages.ts'
import { checkSource } from './source-rules.ts'

const root = join(import.meta.dirname, '../..')

interface Verdict {
  what: string
  breaches: string[]
}

async function rules(): Promise<Verdict[]> {
  const packages = await readPackages(root)
  const { devDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const scripts = await sources(root, join(root, 'scripts'))
  const src = [...packages.flatMap((pkg) => pkg.src), ...scripts]
  return [
    { what: 'bounds', breaches: checkBounds(packages, Object.keys(devDependencies)) },
    { what: 'source', breaches: src.flatMap(checkSource) },
  ]
}

/** A tool of the workspace; all that it says is a breach when it fails. */
function tool(what: string, name: string, args: readonly string[]): Promise<Verdict> {
  return new Promise((resolve) => {
    execFile(join(root, 'node_modules/.bin', name), args, { cwd: root, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ what, breaches: error ? [`${stdout}${stderr}`.trim() || error.message] : [] })
    })
  })
}

const started = performance.now()
const verdicts = (
  await Promise.all([
    rules(),
    tool('format and lint', 'biome', ['check', '--error-on-warnings', '--colors=off', '--max-diagnostics=200']),
    tool('types', 'tsc', ['-p', 'tsconfig.json', '--incremental', '--tsBuildInfoFile', 'node_modules/.cache/check.tsbuildinfo']),
  ])
).flat()
for (const { what, breaches } of verdicts) {
  console.log(`${breaches.length === 0 ? 'ok    ' : 'FAILED'} ${what}`)
  for (const breach of breaches) console.log(breach.replace(/^/gm, '       '))
}
console.log(`checked in ${((performance.now() - started) / 1000).toFixed(1)} s`)
process.exitCode = verdicts.some(({ breaches }) => breaches.length > 0) ? 1 : 0
