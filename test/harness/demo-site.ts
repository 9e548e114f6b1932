/** A real site with the demo's resources on it, for all tests of a file; taken down behind them. */
import { afterAll, beforeAll } from 'vitest'
import { type Demo, makeDemo, removeDemo } from './demo.ts'
import { startSite, type TestSite } from './site.ts'

export interface DemoSite {
  site: TestSite
  demo: Demo
}

/** `take` gets it before the first test. */
export function onDemoSite(take: (on: DemoSite) => void): void {
  let site: TestSite | undefined
  let demo: Demo | undefined
  beforeAll(async () => {
    site = await startSite()
    demo = await makeDemo(site)
    take({ site, demo })
  })
  afterAll(async () => {
    try {
      if (site && demo) await removeDemo(site, demo)
    } finally {
      await site?.stop()
    }
  })
}
