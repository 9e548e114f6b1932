/** The serial console of a guest, as a user types on it. */
import type { Row } from '@skerry/contract'
import WebSocket from 'ws'
import { sleep, type TestSite, until } from './site.ts'

export interface Console {
  /** Types and waits for text that comes after it; what was shown so far. */
  typed(text: string, wanted: string): Promise<string>
  end(): void
}

export async function openConsole(site: TestSite, vmUuid: string): Promise<Console> {
  const { token } = (await site.call('RequestConsoleAccess', { vmInstanceUuid: vmUuid })) as Row as { token: string }
  const socket = new WebSocket(site.client.consoleUrl(token))
  let shown = ''
  socket.on('message', (data) => {
    shown += String(data)
  })
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  return {
    async typed(text, wanted) {
      const before = shown.length
      socket.send(text)
      await until(`'${wanted}' on the console`, 30_000, () => shown.slice(before).includes(wanted))
      return shown
    },
    end: () => socket.close(),
  }
}

/** Runs a line in the guest that ends by saying `word`; it is put together there, so that what was typed does not count. */
export async function inGuest(site: TestSite, vmUuid: string, line: string, word: string): Promise<void> {
  const console = await openConsole(site, vmUuid)
  try {
    await console.typed(`${line} && echo ${word}-$((40+2))\n`, `${word}-42`)
  } finally {
    console.end()
  }
}

/** Types and waits for text on the console; what was shown. */
export async function typed(site: TestSite, vmUuid: string, text: string, wanted: string): Promise<string> {
  const session = await openConsole(site, vmUuid)
  const shown = await session.typed(text, wanted)
  if (wanted === '') await sleep(1_000)
  session.end()
  return shown
}
