/** The example of the agents' SDK as its reader runs it: a program that enrols with a token, works for a controller, and keeps to the protocol. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { agentsOn, tryAgent } from '@skerry/agent/conformance'
import type { GatheringBus } from '@skerry/bus'
import type { Row } from '@skerry/contract'
import { requireOrSkip } from '@skerry/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type KeyedSite, startKeyedSite } from '../harness/keyed-site.ts'
import { sleep, until } from '../harness/site.ts'
import { newUuid } from '../harness/zstack-client.ts'

const PACKAGE = join(import.meta.dirname, '../../packages/agent')
const EXAMPLE = join(PACKAGE, 'example/memory-storage.ts')
const CEILING_MS = 60_000
const ADDRESS = '192.0.2.77'

it('is short, and what the README shows of it and of its sample is true', async () => {
  const source = await readFile(EXAMPLE, 'utf8')
  expect(source.trimEnd().split('\n').length).toBeLessThan(60)
  const readme = await readFile(join(PACKAGE, 'README.md'), 'utf8')
  const [, start] = /```ts\n(await startAgent\(.*\))\n```/.exec(readme) ?? []
  expect(source).toContain(start ?? 'nothing')
})

if (requireOrSkip('the example agent', { programs: ['nats-server'] })) {
  describe('the example agent', () => {
    let site: KeyedSite
    let bus: GatheringBus
    let child: ChildProcess | undefined
    const log: string[] = []

    beforeAll(async () => {
      site = await startKeyedSite()
      bus = await site.nats.connect('controller')
    }, CEILING_MS)
    afterAll(async () => {
      child?.kill('SIGKILL')
      await site?.stop()
    })

    /** Named as in the README. */
    const run = async () => {
      const tokenFile = join(site.dir, 'token')
      await writeFile(tokenFile, `${(await site.own('POST', '/agents/tokens', {}))['token']}\n`, { mode: 0o600 })
      const flags = ['--controller', site.url, '--management-ip', ADDRESS, '--token-file', tokenFile]
      const argv = ['--import', 'tsx', EXAMPLE, ...flags, '--state-dir', join(site.dir, 'my-agent')]
      child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] })
      for (const stream of [child.stdout, child.stderr]) stream?.on('data', (bytes) => void log.push(String(bytes)))
    }
    const known = async () => ((await site.own('GET', `/agents?q=managementIp=${ADDRESS}`)) as { inventories: Row[] }).inventories
    const connected = () =>
      until('the example is connected', CEILING_MS, async () => {
        if (child?.exitCode !== null) throw new Error(`it ended:\n${log.join('')}`)
        const [agent] = await known()
        return agent?.['status'] === 'Connected' ? agent : undefined
      })

    it('enrols with a token, is seen, ends on a signal, and comes back as the same', async () => {
      await run()
      const agent = await connected()
      expect(agent).toMatchObject({ kind: 'storage', managementIp: ADDRESS })
      const ended = once(child!, 'exit')
      child!.kill('SIGTERM')
      expect(await ended).toEqual([0, null])
      await run()
      const wanted = agent['uuid'] as string
      expect(await agentsOn(bus, { ms: CEILING_MS, sleep, wanted })).toContainEqual({ kind: 'storage', uuid: wanted })
      expect(await known()).toHaveLength(1)
    }, 120_000)

    it('keeps to the protocol, over TLS and with no more than the rights of an agent', async () => {
      const { uuid } = (await connected()) as { uuid: string }
      // The trial is its controller now.
      await site.kill()
      const readme = await readFile(join(PACKAGE, 'README.md'), 'utf8')
      const [, sample] = /```json\n([\s\S]*?)```/.exec(readme) ?? []
      const agent = { kind: 'storage' as const, uuid }
      const results = await tryAgent({ bus, agent, sample: JSON.parse(sample!), newId: newUuid, sleep, timeoutMs: 10_000 })
      expect(results.filter(({ outcome }) => outcome !== 'passed')).toEqual([])
      expect(results.length).toBeGreaterThanOrEqual(20)
    }, 120_000)
  })
}
