/** Debian's Chromium without a window, for pages on loopback. */
import { type Browser, chromium } from 'playwright-core'

const CHROMIUM = '/usr/bin/chromium'
/** It asks the outside for nothing. */
const QUIET = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-quic',
  '--disable-sync',
  '--no-first-run',
]

/** Root needs `--no-sandbox`; the pages are ours. */
export const startBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM, args: [...QUIET, '--no-sandbox', '--disable-gpu'] })
