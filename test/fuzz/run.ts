/** The fuzzer as two bundles: loaded in a fraction of the time that its sources take. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundle } from '../sim/bundle.ts'

export interface Ended {
  code: number | null
  output: string
}

/** Runs with these flags; output also goes to `hear`. */
export async function fuzz(flags: readonly string[], hear?: (text: string) => void): Promise<Ended> {
  const folder = await mkdtemp(join(tmpdir(), 'skerry-fuzz-'))
  try {
    await bundle(folder, [], { driver: 'test/fuzz/fuzz.ts', site: 'test/fuzz/site-process.ts' })
    const argv = ['--enable-source-maps', join(folder, 'driver.js'), '--site', join(folder, 'site.js'), ...flags]
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text
        hear?.(text)
      })
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
    return { code, output }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
