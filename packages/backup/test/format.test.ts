/** [format] A backup's checks, each by itself: a file that passes all others but one is refused. */
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { backupText, checkBackup, linesOf, open, seal, withKeys } from '../src/index.ts'

const header = { skerry: 'backup', v: 1, contract: 1, incarnation: 1, seq: 9, epoch: 0, at: 5, node: 'a'.repeat(32) } as const
const rows = (n: number) => Array.from({ length: n }, (_, i) => ({ t: 'zone', rows: [[`k${i}`, i, { name: `zone ${i}` }]] }))
const secrets = [{ file: 'site-key.check', data: 'AAAA' }]
const made = (n = 3) =>
  backupText(header, [
    { part: 'graph', lines: rows(n) },
    { part: 'secrets', lines: secrets },
  ])
async function text(source: AsyncIterable<Uint8Array> = made()): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of source) chunks.push(chunk)
  return Buffer.concat(chunks)
}
async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
const check = (bytes: Buffer | string, size = 1000) => checkBackup(inPieces(Buffer.from(bytes), size))
const damaged = (because: RegExp) => expect.objectContaining({ code: 'backup-damaged', message: expect.stringMatching(because) })
/** The text with another last line, whose checksum fits. */
function signed(lines: string[]): string {
  const body = lines.map((line) => `${line}\n`).join('')
  return `${body}${JSON.stringify({ end: 'backup', sha256: createHash('sha256').update(body).digest('hex') })}\n`
}
const linesIn = async (n?: number) => (await text(made(n))).toString().trimEnd().split('\n').slice(0, -1)

describe('the form of a backup', () => {
  it('is the same whatever pieces it comes in', async () => {
    const bytes = await text()
    const whole = await check(bytes)
    expect(whole).toEqual({ header, rows: 3, secrets: 1, keys: [] })
    for (const size of [1, 2, 7, 64, bytes.length]) expect(await check(bytes, size)).toEqual(whole)
  })

  it('is whole, whichever of its lines fills a chunk', async () => {
    const sized = (length: number) =>
      text(
        backupText(header, [
          { part: 'graph', lines: [] },
          { part: 'secrets', lines: [{ file: 'filler', data: 'A'.repeat(length) }] },
        ]),
      )
    const around = (await sized(0)).length
    // From "the last line goes into the next chunk" to "it is the one that fills the chunk" to "all fits in one".
    for (let length = 64 * 1024 - around - 4; length < 64 * 1024; length += 8)
      expect(await check(await sized(length - (length % 4)))).toMatchObject({ secrets: 1 })
  })

  it('holds keys as its last part, and everything else as it was', async () => {
    const keys = [{ file: 'ca/ca.key', data: 'AQID' }]
    const bytes = await text(withKeys(inPieces(await text(), 50), keys))
    expect(await check(bytes)).toEqual({ header, rows: 3, secrets: 1, keys: ['ca/ca.key'] })
    const part = []
    for await (const { line } of linesOf(inPieces(bytes, 99)))
      if (line.kind === 'file') part.push([line.part, line.data.toString('hex')])
    expect(part).toEqual([
      ['secrets', '000000'],
      ['keys', '010203'],
    ])
  })

  it('cut at the end of any of its lines is not whole', async () => {
    const lines = (await text()).toString().split(/(?<=\n)/)
    for (let n = 0; n < lines.length; n++)
      await expect(check(lines.slice(0, n).join(''))).rejects.toMatchObject({ code: 'backup-damaged' })
  })

  it('is refused for a part whose own checksum or count does not fit, though the whole’s does', async () => {
    const lines = await linesIn()
    const at = lines.findIndex((line) => line.includes('endOf'))
    const end = JSON.parse(lines[at]!)
    for (const wrong of [{ sha256: 'b'.repeat(64) }, { lines: 4 }, { endOf: 'secrets' }]) {
      const changed = lines.with(at, JSON.stringify({ ...end, ...wrong }))
      await expect(check(signed(changed))).rejects.toEqual(damaged(/checksum of part graph/))
    }
  })

  it('is refused for a whole whose checksum does not fit, though every part’s does', async () => {
    const bytes = (await text()).toString().replace('"seq":9', '"seq":8')
    await expect(check(bytes)).rejects.toEqual(damaged(/checksum of the whole/))
  })

  it('is refused for parts that are missing, twice, in another order, or followed by more', async () => {
    const lines = await linesIn()
    const second = lines.findIndex((line) => line.includes('"part":"secrets"'))
    const [first, graph, rest] = [lines.slice(0, 1), lines.slice(1, second), lines.slice(second)]
    await expect(check(signed([...first, ...graph]))).rejects.toEqual(damaged(/a part is missing/))
    await expect(check(signed([...first, ...rest, ...graph]))).rejects.toEqual(damaged(/does not belong here/))
    await expect(check(signed([...lines, ...rest]))).rejects.toEqual(damaged(/does not belong here/))
    await expect(check(`${signed(lines)}{}\n`)).rejects.toEqual(damaged(/follows the end/))
  })

  it('is refused for a file that would lie outside of its folder', async () => {
    for (const file of ['../x', 'a/../../x', '/etc/passwd', '.ssh/x', '']) {
      const bytes = await text(withKeys(made(), [{ file, data: 'AAAA' }]))
      await expect(check(bytes)).rejects.toMatchObject({ code: 'backup-damaged' })
    }
  })

  it('is refused for what is something else', async () => {
    for (const other of ['', '\n', 'hello\n', '{}\n', '{"skerry":"backup","v":2}\n'])
      await expect(check(other)).rejects.toMatchObject({ code: 'backup-damaged' })
  })
})

describe('a passphrase', () => {
  const closed = async (n = 3) => text(seal(made(n), 'a good passphrase', 2))

  it('opens what it closed, over many chunks', async () => {
    const bytes = await closed(5_000)
    expect(bytes.includes('zone 17')).toBe(false)
    expect((await checkBackup(open(inPieces(bytes, 70_000), 'a good passphrase'))).rows).toBe(5_000)
  })

  it('that is wrong, missing or short is said to be', async () => {
    const bytes = await closed()
    const opened = (passphrase?: string) => checkBackup(open(inPieces(bytes, 999), passphrase))
    await expect(opened('another passphrase')).rejects.toMatchObject({ code: 'invalid-argument' })
    await expect(opened()).rejects.toMatchObject({ code: 'invalid-argument' })
    await expect(text(seal(made(), 'short', 2))).rejects.toThrow(/at least 12/)
  })

  it('finds every change and cut', async () => {
    const bytes = await closed(2_000)
    const from = bytes.indexOf('\n---')
    for (let i = 1; i <= 12; i++) {
      const bad = Buffer.from(bytes)
      bad[from + Math.floor(((bytes.length - from - 1) * i) / 12)]! ^= 0x10
      await expect(checkBackup(open(inPieces(bad, 9_999), 'a good passphrase'))).rejects.toMatchObject({ name: 'SkerryError' })
    }
    for (const length of [bytes.length - 1, 70_000, from + 60])
      await expect(checkBackup(open(inPieces(bytes.subarray(0, length), 9_999), 'a good passphrase'))).rejects.toMatchObject({
        name: 'SkerryError',
      })
  })
})
