/**
 * A console in a browser: a terminal for the serial port, a screen for VNC. The address has what it needs behind the `#`, which
 * browsers send to nobody: `#token=…&kind=serial|vnc&name=…`. A token is good once, so a page that was loaded again says so.
 */
import './page.css'
import { FitAddon } from '@xterm/addon-fit'
import { Terminal } from '@xterm/xterm'

const wanted = new URLSearchParams(location.hash.slice(1))
// Out of the history: somebody else may sit down at this browser.
history.replaceState(null, '', location.pathname)

const find = (id: string) => document.getElementById(id) as HTMLElement
const [header, state, keys, main] = ['name', 'state', 'keys', 'console'].map(find) as [
  HTMLElement,
  HTMLElement,
  HTMLElement,
  HTMLElement,
]
const ANOTHER = 'Ask for another: skerry console --web <vm>'

function say(what: 'connecting' | 'open' | 'ended', text: string): void {
  state.dataset['state'] = what
  state.textContent = text
}

function url(kind: string, token: string): string {
  const found = new URL(`../v1/consoles/${encodeURIComponent(token)}?kind=${kind}`, location.href)
  found.protocol = found.protocol === 'https:' ? 'wss:' : 'ws:'
  return found.href
}

function ended(reason: string): void {
  say('ended', `${reason || 'the connection was refused or has broken off'}. ${ANOTHER}`)
}

function openTerminal(token: string): void {
  const terminal = new Terminal({ cursorBlink: true, scrollback: 10_000, fontSize: 14 })
  const fit = new FitAddon()
  terminal.loadAddon(fit)
  terminal.open(main)
  fit.fit()
  addEventListener('resize', () => fit.fit())
  const socket = new WebSocket(url('serial', token))
  socket.binaryType = 'arraybuffer'
  const text = new TextEncoder()
  terminal.onData((data) => socket.readyState === WebSocket.OPEN && socket.send(text.encode(data)))
  terminal.onBinary((data) => socket.send(Uint8Array.from(data, (c) => c.charCodeAt(0))))
  socket.onmessage = ({ data }) => terminal.write(new Uint8Array(data as ArrayBuffer))
  socket.onopen = () => {
    say('open', 'connected')
    terminal.focus()
  }
  socket.onclose = ({ reason }) => ended(reason)
}

async function openScreen(token: string): Promise<void> {
  const { default: RFB } = await import('@novnc/novnc')
  const socket = new WebSocket(url('vnc', token), ['binary'])
  let reason = ''
  socket.addEventListener('close', (event) => (reason = event.reason))
  const screen = new RFB(main, socket, { shared: true })
  screen.scaleViewport = true
  screen.addEventListener('connect', () => {
    say('open', 'connected')
    keys.hidden = false
    screen.focus()
  })
  screen.addEventListener('disconnect', () => ended(reason))
  keys.onclick = () => screen.sendCtrlAltDel()
}

const token = wanted.get('token')
const name = wanted.get('name')
if (name) {
  header.textContent = name
  document.title = `${name} – console`
}
if (!token) ended('this page was opened without a token')
else if (wanted.get('kind') === 'vnc') openScreen(token).catch((error: unknown) => ended(String(error)))
else openTerminal(token)
