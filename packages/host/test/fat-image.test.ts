import { expect, it } from 'vitest'
import { type Exec, fakeHost, fatImages } from '../src/index.ts'

it('a FAT image is filled by stdin, into a file that was its owner’s alone before anything was in it', async () => {
  const { files, disk } = fakeHost()
  const seen: { argv: readonly string[]; input: unknown; modes: number[] }[] = []
  const exec: Pick<Exec, 'run'> = {
    async run(cmd, argv, { input }) {
      seen.push({ argv: [cmd, ...argv], input, modes: [...disk.files.values()].map((file) => file.mode) })
      return { code: 0, stdout: '', stderr: '' }
    },
  }
  await fatImages(exec as Exec, files).write('/tmp/seed.img', { label: 'cidata', files: { 'user-data': 'canary-77' } })
  expect(seen.map(({ argv }) => argv[0])).toEqual(['mkfs.vfat', 'mcopy'])
  expect(JSON.stringify(seen.map(({ argv }) => argv))).not.toContain('canary-77')
  expect(seen.at(-1)?.input).toBe('canary-77')
  for (const { modes } of seen) expect(modes).toEqual([0o600])
})
