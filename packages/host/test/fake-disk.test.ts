/** What a disk in memory knows of itself without looking through all of it. */
import { expect, test } from 'vitest'
import { FakeDisk, fakeFiles } from '../src/fakes/files.ts'

const bytes = (n: number) => new Uint8Array(n)

test('counts its bytes over writing, shortening, renaming onto another file and removing a folder', () => {
  const disk = new FakeDisk(() => 0)
  disk.makeDir('/a/b', 0o755)
  disk.put('/a/one', bytes(10))
  disk.put('/a/b/two', bytes(5))
  disk.put('/a/one', bytes(3))
  expect(disk.usedBytes()).toBe(8)
  disk.rename('/a/b/two', '/a/one')
  expect(disk.usedBytes()).toBe(5)
  disk.remove('/a')
  expect([disk.usedBytes(), disk.files.size, [...disk.folders.keys()]]).toEqual([0, 0, ['/']])
})

test('lists what lies directly in a folder, and removes what is in it and nothing that is called alike', async () => {
  const disk = new FakeDisk(() => 0)
  const files = fakeFiles(disk)
  for (const folder of ['/a/b/c', '/ab']) disk.makeDir(folder, 0o755)
  for (const path of ['/a/one', '/a/b/two', '/a/b/c/three', '/ab/four']) disk.put(path, bytes(1))
  expect(await files.list('/')).toEqual(['a', 'ab'])
  expect(await files.list('/a')).toEqual(['b', 'one'])
  disk.remove('/a/b')
  expect(await files.list('/a')).toEqual(['one'])
  expect(await files.list('/a/b')).toBeUndefined()
  expect([...disk.files.keys()].sort()).toEqual(['/a/one', '/ab/four'])
})

test('is full at the byte', () => {
  const disk = new FakeDisk(() => 0)
  disk.totalBytes = 10
  disk.put('/one', bytes(10))
  expect(() => disk.put('/two', bytes(1))).toThrow(expect.objectContaining({ code: 'disk-full' }))
  disk.put('/one', bytes(9))
  disk.put('/two', bytes(1))
})
