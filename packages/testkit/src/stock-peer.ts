/**
 * A strongSwan that is not ours: Debian's charon-systemd with the plugins and settings that Debian gives it, configured by swanctl from
 * a file as people write it. Only where its socket is, and that ESP may be done in user space where the kernel has none, is said besides.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { realExec, type Spawned } from '@skerry/host'

export interface StockPeerConfig {
  /** Who it talks to; its own address is its id. */
  remote: string
  key: string
  /** In strongSwan's words. */
  proposal: string
  espProposal: string
  localCidrs: readonly string[]
  remoteCidrs: readonly string[]
  /** Default 2. */
  version?: 1 | 2
  /** IKEv1 takes one pair of networks for each: then a child is made of each pair. */
  begins?: boolean
}

export interface StockPeerPlace {
  netns: string
  dir: string
  address: string
}

const TIMEOUT_MS = 60_000
const READY_MS = 60_000

export class StockPeer {
  readonly #o: StockPeerPlace
  readonly #exec = realExec()
  #process: Spawned | undefined

  constructor(o: StockPeerPlace) {
    this.#o = o
  }

  get #uri(): string {
    return `unix://${this.#o.dir}/peer.vici`
  }

  /** Resolves when its configuration is loaded. Another one may be there already: it is replaced. */
  async start(config: StockPeerConfig): Promise<void> {
    const { dir, netns, address } = this.#o
    await mkdir(join(dir, 'swanctl'), { recursive: true })
    await writeFile(join(dir, 'strongswan.conf'), STRONGSWAN(this.#uri))
    await writeFile(join(dir, 'swanctl', 'swanctl.conf'), swanctlConf(address, config))
    const argv = [`STRONGSWAN_CONF=${join(dir, 'strongswan.conf')}`, 'charon-systemd']
    if (!this.#process) this.#process = await this.#exec.spawn('env', argv, { logFile: join(dir, 'peer.log'), netns })
    for (let waited = 0; ; waited += 100) {
      try {
        await this.swanctl('--load-all', '--file', join(dir, 'swanctl', 'swanctl.conf'))
        return
      } catch (error) {
        if (waited >= READY_MS) throw error
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    }
  }

  /** What it prints. */
  async swanctl(...args: string[]): Promise<string> {
    return (await this.#exec.run('swanctl', [...args, '--uri', this.#uri], { timeoutMs: TIMEOUT_MS })).stdout
  }

  /** Dies without a word, as when its host loses power. */
  async kill(): Promise<void> {
    const was = this.#process
    this.#process = undefined
    was?.kill('SIGKILL')
    await was?.exited
    await rm(join(this.#o.dir, 'peer.vici'), { force: true })
  }

  async stop(): Promise<void> {
    const was = this.#process
    this.#process = undefined
    was?.kill('SIGTERM')
    await was?.exited
  }

  log = () => readFile(join(this.#o.dir, 'peer.log'), 'utf8')
}

/** Debian's own file says no more than this, without the two marked lines. */
const STRONGSWAN = (uri: string) => `charon-systemd {
  load_modular = yes
  plugins {
    include /etc/strongswan.d/charon/*.conf
    # where this kernel has no ESP
    kernel-libipsec {
      load = yes
    }
    # several at once
    vici {
      socket = ${uri}
    }
  }
}
`

const child = (name: string, of: { local: readonly string[]; remote: readonly string[] }, c: StockPeerConfig) => `      ${name} {
        local_ts = ${of.local.join(',')}
        remote_ts = ${of.remote.join(',')}
        esp_proposals = ${c.espProposal}
        start_action = ${c.begins ? 'start' : 'none'}
      }
`

function swanctlConf(address: string, c: StockPeerConfig): string {
  const pairs = c.localCidrs.flatMap((local) => c.remoteCidrs.map((remote) => ({ local: [local], remote: [remote] })))
  const children = c.version === 1 ? pairs : [{ local: c.localCidrs, remote: c.remoteCidrs }]
  return `connections {
  site {
    version = ${c.version ?? 2}
    local_addrs = ${address}
    remote_addrs = ${c.remote}
    proposals = ${c.proposal}
    local {
      auth = psk
      id = ${address}
    }
    remote {
      auth = psk
      id = ${c.remote}
    }
    children {
${children.map((of, n) => child(`net${n}`, of, c)).join('')}    }
  }
}
secrets {
  ike-site {
    id-1 = ${address}
    id-2 = ${c.remote}
    secret = 0x${Buffer.from(c.key, 'utf8').toString('hex')}
  }
}
`
}
