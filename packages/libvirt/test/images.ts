/** Real images for what is done to running disks. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Chain } from './chains.ts'

const run = promisify(execFile)
const MIB = 1024 ** 2

export function imagesIn(dir: string): Chain {
  const info = async (file: string) =>
    JSON.parse((await run('qemu-img', ['info', '-U', '--output=json', '-f', 'qcow2', file])).stdout) as Record<string, unknown>
  return {
    dir,
    async make(file, below) {
      const on = below === null ? [] : ['-F', 'qcow2', '-b', below]
      await run('qemu-img', ['create', '-q', '-f', 'qcow2', ...on, file, String(4 * MIB)])
    },
    below: async (file) => ((await info(file))['backing-filename'] as string | undefined) ?? null,
    sizeOf: async (file) => (await info(file))['virtual-size'] as number,
  }
}
