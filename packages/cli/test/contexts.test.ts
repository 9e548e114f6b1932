/** [format] `contexts.json` of earlier versions is read, and this version writes it as its golden file says. */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Context, readContexts, saveContext } from '../src/contexts.ts'

const golden = join(import.meta.dirname, 'golden/contexts-v1.json')
const contexts: Record<string, Context> = {
  default: { url: 'http://127.0.0.1:8080', account: 'admin', session: '5'.repeat(32) },
  ship: {
    ...{ url: 'https://192.0.2.1:8080', account: 'admin', ca: '/etc/skerry/ca.pem' },
    nats: { url: 'tls://192.0.2.1:4222', creds: '/root/operator.creds', ca: '/etc/skerry/ca.pem' },
  },
}

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skerry-contexts-'))
})
afterEach(() => rm(folder, { recursive: true }))

it('of version 1 is read', async () => {
  await cp(golden, join(folder, 'contexts.json'))
  expect(await readContexts(folder)).toEqual({ current: 'ship', contexts })
})

it('is written byte for byte as version 1 says, for its owner only', async () => {
  for (const [name, context] of Object.entries(contexts)) await saveContext(folder, name, context)
  await expect(await readFile(join(folder, 'contexts.json'), 'utf8')).toMatchFileSnapshot(golden)
})
