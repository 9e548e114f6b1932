/** What every `Lighttpd` does. The world has the address 169.254.169.254 in `netns`. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Files, type Lighttpd, lighttpdFiles } from '../../src/index.ts'

export interface LighttpdWorld {
  lighttpd: Lighttpd
  files: Files
  /** An empty place for instance folders. */
  dir: string
  netns: string
  /** A second agent's view: the same machine, a new tool object. */
  again(): Lighttpd
}

const address = '169.254.169.254'

export function lighttpdSuite(title: string, make: () => Promise<{ world: LighttpdWorld; cleanUp: () => Promise<void> }>): void {
  describe(`lighttpd (${title})`, () => {
    let world: LighttpdWorld
    let cleanUp: () => Promise<void>
    let dir: string
    beforeEach(async () => {
      ;({ world, cleanUp } = await make())
      dir = `${world.dir}/net1`
    })
    afterEach(async () => {
      await world.lighttpd.stop(dir)
      await cleanUp()
    })

    it('starts once, is found again by another tool, and stops', async () => {
      const { lighttpd, netns } = world
      expect(await lighttpd.running(dir)).toBeUndefined()
      await lighttpd.start({ dir, netns, address })
      const first = await lighttpd.running(dir)
      expect(first).toBeDefined()
      await lighttpd.start({ dir, netns, address })
      expect(await world.again().running(dir)).toEqual(first)
      await lighttpd.stop(dir)
      await lighttpd.stop(dir)
      expect(await lighttpd.running(dir)).toBeUndefined()
    })

    it('takes no process for its own whose command line names another folder', async () => {
      const { lighttpd, files, netns } = world
      await lighttpd.start({ dir, netns, address })
      const other = `${world.dir}/other`
      await files.makeDir(other)
      await files.write(lighttpdFiles(other).pid, (await files.read(lighttpdFiles(dir).pid)) ?? '')
      expect(await lighttpd.running(other)).toBeUndefined()
    })

    it('refuses an address that is not there, and leaves nothing running', async () => {
      const { lighttpd, netns } = world
      await expect(lighttpd.start({ dir, netns, address: '192.0.2.99' })).rejects.toMatchObject({ code: 'host-command-failed' })
      expect(await lighttpd.running(dir)).toBeUndefined()
      await expect(lighttpd.start({ dir, netns, address: '1"\nx' })).rejects.toMatchObject({ code: 'invalid-argument' })
    })
  })
}
