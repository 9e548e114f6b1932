/** The keys of a site as a controller process holds them, and its own connection, signed by them. */
import { type ConnectNatsOptions, connectNats, connectNatsLater, type Site, SwitchingBus, updateAccount } from '@skerry/bus'
import { SkerryError } from '@skerry/contract'
import { type Disk, openDocument } from '../store/index.ts'
import { firstKeys, KeyAuthority } from './authority.ts'

export interface OpenKeysOptions {
  disk: Disk
  stateDir: string
  site: Site
  url: string
  /** PEM */
  ca: string | undefined
}

export async function openKeys({ disk, stateDir, site, url, ca }: OpenKeysOptions): Promise<KeyAuthority> {
  const { low, existed } = await openDocument(disk, `${stateDir}/keys.json`, firstKeys(site))
  if (!existed) await low.write()
  const tls = ca ? { tls: { ca } } : {}
  const tell = (jwt: string) => updateAccount({ servers: [url], ...tls, systemAccountSeed: site.systemAccount.seed, jwt })
  return new KeyAuthority({ document: low, site, tell })
}

/** What runs on the old connection may take this long. */
const RETIRE_MS = 900_000

/**
 * On the bus with a key that lives as long as this process, and is nowhere else. `renewOwn` takes one that is signed by what signs
 * now, without a break, and says whether nothing uses the one before any more.
 */
export async function ownConnection(
  authority: KeyAuthority,
  options: Omit<ConnectNatsOptions, 'credentials' | 'inboxPrefix' | 'waitOnFirstConnect' | 'signal'>,
): Promise<{ bus: SwitchingBus; renewOwn(): Promise<boolean> }> {
  const signed = async () => {
    const { jwt, seed, inboxPrefix } = await authority.issue({ kind: 'controller' })
    return { ...options, inboxPrefix, credentials: { jwt, seed: seed as string } }
  }
  const bus = new SwitchingBus(connectNatsLater(await signed()))
  let signer = authority.signer
  return {
    bus,
    async renewOwn() {
      if (signer !== authority.signer) {
        const now = authority.signer
        const { retired } = await bus.switchTo(await connectNats(await signed()), RETIRE_MS)
        signer = now
        retired.catch((cause) =>
          options.onError?.(new SkerryError('internal', 'ending a replaced connection failed', {}, { cause })),
        )
      }
      return !bus.retiring
    },
  }
}
