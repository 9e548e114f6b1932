/** The fuzzer as two bundles: loaded in a fraction of the time that its sources take. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundle, type Patch } from '../sim/bundle.ts'
import { whenLeaving } from '../sim/leaving.ts'

export interface Ended {
  code: number | null
  output: string
}

export interface How {
  /** hears the output as it comes */
  hear?: (text: string) => void
  /** bugs in the site */
  patches?: readonly Patch[]
}

/** The hash of a password costs more than all else of a request, and nothing is looked for in it. */
const QUICK_HASH: Patch = { file: 'controller/src/identity/password.ts', from: 'const COST = 14', to: 'const COST = 4' }

/** Runs with these flags. */
export async function fuzz(flags: readonly string[], { hear, patches }: How = {}): Promise<Ended> {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-fuzz-'))
  const clean = () => rmSync(folder, { recursive: true, force: true })
  const staying = whenLeaving(clean)
  try {
    await bundle(folder, [QUICK_HASH, ...(patches ?? [])], { driver: 'test/fuzz/fuzz.ts', site: 'test/fuzz/site-process.ts' })
    return await ended(['--enable-source-maps', join(folder, 'driver.js'), '--site', join(folder, 'site.js'), ...flags], hear)
  } finally {
    clean()
    staying()
  }
}

async function ended(argv: string[], hear: (text: string) => void = () => undefined): Promise<Ended> {
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] })
  const gone = whenLeaving(() => child.kill())
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      hear(text)
    })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  gone()
  return { code, output }
}
