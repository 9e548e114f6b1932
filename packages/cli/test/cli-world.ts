/** The command line on a machine in memory, talking to the whole HTTP door over a fake engine. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fakeHttp, SESSION } from '@skerry/controller/testing'
import type { Doctor } from '../src/doctor/facts.ts'
import { type Io, type RawTerminal, run } from '../src/index.ts'

export const healthy: Doctor = {
  kvm: { present: true, usable: true, works: true, cpuFlags: true },
  clock: { synchronised: true },
  disks: [{ path: '/', totalBytes: 2 ** 40, availableBytes: 2 ** 39 }],
  uplink: { name: 'eth0', mtu: 1500 },
  forwardPolicy: 'accept',
  ipForward: true,
  agents: [{ kind: 'kvm', pid: 7, folder: '/s/agent-kvm', documents: 3, damaged: [] }],
  versions: {
    qemu: 'QEMU emulator version 7.2.0',
    libvirtd: 'libvirtd 9.0.0',
    dnsmasq: 'Dnsmasq version 2.89',
    lighttpd: 'lighttpd/1.4.69 (ssl) - a light and fast webserver',
    nft: 'nftables v1.0.6',
    'nats-server': 'nats-server: v2.9.10',
  },
  node: 'v20.20.0',
}

export interface World extends ReturnType<typeof fakeHttp> {
  /** Runs `skerry …`. */
  skerry(...argv: string[]): Promise<{ code: number; out: string; err: string }>
  folder: string
  files: Map<string, string>
  io: Io
}

/** `loggedIn`: as by SKERRY_SESSION; else there are no contexts yet. */
export async function world(
  test: (w: World) => Promise<void>,
  o: { http?: Parameters<typeof fakeHttp>[0]; loggedIn?: boolean; io?: Partial<Io> } = {},
): Promise<void> {
  const http = fakeHttp(o.http)
  const folder = mkdtempSync(join(tmpdir(), 'skerry-cli-'))
  const files = new Map<string, string>()
  const said = { out: '', err: '' }
  const terminal: RawTerminal = { onInput() {}, onEnd() {}, write() {}, close() {} }
  const io: Io = {
    out: (text) => void (said.out += `${text}\n`),
    err: (text) => void (said.err += text),
    tty: false,
    ask: async () => undefined,
    readFile: async (path) => {
      const text = files.get(path)
      if (text === undefined) throw new Error(`ENOENT: ${path}`)
      return text
    },
    rawTerminal: () => terminal,
    interrupted: new AbortController().signal,
    configFolder: join(folder, 'skerry'),
    doctor: async () => healthy,
    env: o.loggedIn === false ? {} : { SKERRY_SESSION: SESSION },
    fetch: async (input) => http.app.fetch(input as Request),
    ...o.io,
  }
  const skerry = async (...argv: string[]) => {
    said.out = ''
    said.err = ''
    const code = await run(argv, io)
    return { code, ...said }
  }
  try {
    await test({ ...http, skerry, folder, files, io })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
