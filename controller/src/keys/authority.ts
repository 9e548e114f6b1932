/**
 * Who gets onto the bus: signs users, and keeps nats-server's account as it should be (signing keys, revoked users). What it
 * should be is on our disk before the server hears of it, and the server is told again whenever it may have forgotten.
 */
import {
  accountJwt,
  createSigningKey,
  type IssuedUser,
  type IssueUserOptions,
  issueUser,
  type SigningKey,
  type Site,
} from '@skerry/bus'
import type { Row } from '@skerry/contract'

/** [format] `<stateDir>/keys.json`. Secret. Not of the log: a restored log must not bring back old keys, or people who were shut out. */
export interface KeysDocument {
  v: 1
  /** The last signs; users of all get in. `rotation`: what brought it. */
  signers: (SigningKey & { rotation: string | null })[]
  /** Users' public keys that never get in again, with the key that signed their JWT (null: the account's own). */
  revoked: Record<string, string | null>
}

export interface AuthorityPorts {
  document: { data: KeysDocument; write(): Promise<void> }
  site: Pick<Site, 'operator' | 'account'>
  /** Tells nats-server; see `updateAccount`. */
  tell(jwt: string): Promise<void>
}

export const firstKeys = ({ signingKey }: Pick<Site, 'signingKey'>): KeysDocument => ({
  v: 1,
  signers: [{ ...signingKey, rotation: null }],
  revoked: {},
})

type NewUser = IssueUserOptions extends infer O ? (O extends unknown ? Omit<O, 'accountSeed' | 'account'> : never) : never

export class KeyAuthority {
  readonly #p: AuthorityPorts
  /** What the server must know that it may not know yet. */
  #wanted = 1
  #told = 0
  #telling: Promise<void> | undefined
  #saving: Promise<void> | undefined
  #unsaved = false

  constructor(ports: AuthorityPorts) {
    this.#p = ports
  }

  /** Public key of what signs now. */
  get signer(): string {
    return this.#newest().publicKey
  }

  #newest(): SigningKey {
    return this.#p.document.data.signers.at(-1)!
  }

  issue(user: NewUser): Promise<IssuedUser> {
    return issueUser({ ...user, accountSeed: this.#newest().seed, account: this.#p.site.account.publicKey } as IssueUserOptions)
  }

  isRevoked(publicKey: string): boolean {
    return Object.hasOwn(this.#p.document.data.revoked, publicKey)
  }

  /** From now on, also after a crash; `told()` says whether the server knows. */
  async revoke(keys: Iterable<readonly [publicKey: string, row: Row]>): Promise<void> {
    const { data } = this.#p.document
    const fresh = [...keys].filter(([publicKey]) => !this.isRevoked(publicKey))
    if (fresh.length === 0) return
    for (const [publicKey, row] of fresh) data.revoked[publicKey] = (row['signer'] as string | null | undefined) ?? null
    await this.#changed()
  }

  /** Another key signs from now on; users of the old ones still get in. Repeating it for the same rotation changes nothing. */
  async addSigner(rotation: string): Promise<void> {
    const { data } = this.#p.document
    if (data.signers.some((signer) => signer.rotation === rotation)) return
    data.signers = [...data.signers, { ...createSigningKey(), rotation }]
    await this.#changed()
  }

  /** Users of keys from before this rotation get in no more; that they were revoked one by one need not be remembered. */
  async dropOlder(rotation: string): Promise<void> {
    const { data } = this.#p.document
    const at = data.signers.findIndex((signer) => signer.rotation === rotation)
    if (at > 0) data.signers = data.signers.slice(at)
    data.revoked = Object.fromEntries(Object.entries(data.revoked).filter(([, signer]) => this.#lives(signer)))
    await this.#changed()
  }

  #lives(signer: string | null): boolean {
    return signer === null || this.#p.document.data.signers.some(({ publicKey }) => publicKey === signer)
  }

  /** Whether a key need not be remembered as revoked, because nothing that its signer signed is accepted. */
  isMoot(row: Row): boolean {
    return !this.#lives((row['signer'] as string | null | undefined) ?? null)
  }

  /** Counted before it is written: whoever asks meanwhile must not be told that the server knows it. */
  #changed(): Promise<void> {
    this.#wanted += 1
    this.#unsaved = true
    return this.#save()
  }

  async #save(): Promise<void> {
    while (this.#saving) await this.#saving.catch(() => undefined) // its own caller is told
    if (!this.#unsaved) return
    this.#unsaved = false
    this.#saving = this.#p.document
      .write()
      .catch((error) => {
        this.#unsaved = true
        throw error
      })
      .finally(() => (this.#saving = undefined))
    await this.#saving
  }

  /** The server may have been replaced or lost its folder: it is told again at the next `tell()`. */
  doubt(): void {
    this.#wanted += 1
  }

  get isTold(): boolean {
    return this.#told === this.#wanted
  }

  /** Tells the server what it may not know. Throws as `updateAccount`; then it is to be called again. */
  async tell(): Promise<void> {
    while (this.#telling) await this.#telling.catch(() => undefined) // its own caller is told
    if (this.isTold) return
    this.#telling = this.#tell().finally(() => (this.#telling = undefined))
    await this.#telling
  }

  async #tell(): Promise<void> {
    await this.#save()
    const now = this.#wanted
    const { document, site } = this.#p
    const jwt = await accountJwt({
      accountPublicKey: site.account.publicKey,
      operatorSeed: site.operator.seed,
      signingKeys: document.data.signers.map(({ publicKey }) => publicKey),
      revoked: Object.keys(document.data.revoked),
    })
    await this.#p.tell(jwt)
    this.#told = now
  }
}
