/** A real guest's consoles in a real browser, through console proxies that know nothing. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, requireOrSkip } from '@skerry/testkit'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startBrowser } from '../harness/browser.ts'
import { type Demo, makeDemo, removeDemo } from '../harness/demo.ts'
import { answers } from '../harness/guest.ts'
import { startSite, type TestSite, until } from '../harness/site.ts'
import { gone, makeVm, type Vm } from '../harness/vms.ts'

const PROXY = join(import.meta.dirname, '../../dist/console-proxy/main.js')
const LONG_MS = 60_000

let dir: string
let site: TestSite
let demo: Demo
let vm: Vm
let browser: Browser
const proxies: { url: string; child: ChildProcess }[] = []

async function startProxy(creds: string): Promise<void> {
  const port = await freePort()
  const nats = ['--nats-url', site.nats.url, '--nats-ca', join(site.dir, 'ca.pem'), '--nats-creds', creds]
  const child = spawn(process.execPath, [PROXY, ...nats, '--http-port', String(port)], { stdio: ['ignore', 'ignore', 'inherit'] })
  const url = `http://127.0.0.1:${port}`
  proxies.push({ url, child })
  await until('a console proxy', LONG_MS, async () => (await fetch(`${url}/readyz`)).ok)
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'skerry-console-page-'))
  site = await startSite({ adminPassword: 'a password of its own' })
  demo = await makeDemo(site)
  vm = await makeVm(site, demo, 'seen')
  await answers(demo.l3, vm.ip)
  const { creds } = await site.client.call('IssueBusCredentials', { user: 'console-proxy' })
  const file = join(dir, 'proxy.creds')
  await writeFile(file, String(creds), { mode: 0o600 })
  for (let n = 0; n < 2; n++) await startProxy(file)
  browser = await startBrowser()
})
afterAll(async () => {
  await browser?.close()
  for (const { child } of proxies) child.kill('SIGKILL')
  try {
    if (vm) await gone(site, vm)
    if (demo) await removeDemo(site, demo)
  } finally {
    await site?.stop()
    await rm(dir, { recursive: true, force: true })
  }
})

async function pageUrl(kind: 'serial' | 'vnc', proxy: string): Promise<string> {
  const { token } = (await site.call('RequestConsoleAccess', { vmInstanceUuid: vm.uuid })) as { token: string }
  return site.client.consolePageUrl(token, { kind, name: 'seen', proxy })
}

async function opened(url: string): Promise<Page> {
  const page = await browser.newPage()
  const said: string[] = []
  page.on('console', (message) => said.push(message.text()))
  page.on('pageerror', (error) => said.push(String(error)))
  await page.goto(url)
  await page.waitForSelector('#state[data-state=open]', { timeout: LONG_MS }).catch(async (cause) => {
    throw new Error(`the page shows '${await page.textContent('#state')}' and says ${JSON.stringify(said)}`, { cause })
  })
  return page
}

const ended = (page: Page) => page.waitForSelector('#state[data-state=ended]', { timeout: LONG_MS })
const shows = (page: Page, text: string) => page.waitForSelector(`.xterm-rows:has-text("${text}")`, { timeout: LONG_MS })

describe.skipIf(!requireOrSkip('consoles in a browser', { root: true, programs: ['chromium'] }))('the console page', () => {
  it('is a terminal on the serial port; its token is gone from the address, and opens nothing again, at no proxy', async () => {
    const [one, two] = proxies as [(typeof proxies)[0], (typeof proxies)[0]]
    const url = await pageUrl('serial', one.url)
    const page = await opened(url)
    expect(page.url()).not.toContain('token')
    expect(await page.title()).toContain('seen')
    await page.keyboard.type('echo sum-$((40+2))\n')
    await shows(page, 'sum-42')

    const again = await browser.newPage()
    await again.goto(url.replace(one.url, two.url))
    await ended(again)
    expect(await again.textContent('#state')).toContain('skerry console --web')
    await shows(page, 'sum-42')
    expect(await page.getAttribute('#state', 'data-state'), 'and took nothing over').toBe('open')
    await again.close()
    await page.close()
  })

  it('is the screen through VNC, also at the controller itself', async () => {
    const page = await opened(await pageUrl('vnc', site.url))
    const painted = () =>
      page.evaluate(`(() => {
        const canvas = document.querySelector('canvas')
        if (!canvas || canvas.width < 300) return 0
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
        return new Set(new Uint32Array(data.buffer)).size
      })()`)
    await until('a picture with more than one colour', LONG_MS, async () => ((await painted()) as number) > 1)
    if (process.env['SKERRY_SCREENSHOTS']) await page.screenshot({ path: join(process.env['SKERRY_SCREENSHOTS'], 'vnc.png') })
    await page.close()
  })

  it('loses nothing but its connection when a proxy is killed: the other one goes on', async () => {
    const [one, two] = proxies as [(typeof proxies)[0], (typeof proxies)[0]]
    const page = await opened(await pageUrl('serial', one.url))
    await page.keyboard.type('export KEPT=still-$((6*7)); echo $KEPT there\n')
    // Only then has the guest got all of it.
    await shows(page, 'still-42 there')
    const exited = once(one.child, 'exit')
    one.child.kill('SIGKILL')
    await exited
    await ended(page)
    const other = await opened(await pageUrl('serial', two.url))
    await other.keyboard.type('\necho $KEPT again\n')
    await shows(other, 'still-42 again')
    if (process.env['SKERRY_SCREENSHOTS']) await other.screenshot({ path: join(process.env['SKERRY_SCREENSHOTS'], 'serial.png') })
    await other.close()
    await page.close()
  })
})
