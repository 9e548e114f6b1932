/** What is seen of a guest's metadata, and what is done to it. */
import type { ErrorBody, vrouterDesired } from '@skerry/contract'
import type { Change, Observed } from '@skerry/reconcile'

/** Who may read: the guest with this MAC and address. */
export interface Reader {
  mac: string
  ip: string
}

/** As it was made, in the folder of which router. `digest`: of the files. */
export interface Made extends Reader {
  router: string
  digest: string
}

/** A router with metadata; the same for all of it in a pass. */
export interface RouterView {
  uuid: string
  netns: boolean
  /** It is there, but could not be read. */
  unseen: ErrorBody | null
  /** null: its table lets nobody in, so the router has to be made first. */
  readers: Reader[] | null
  /** `elsewhere`: a server runs, in a namespace that is no longer the router's. */
  server: 'running' | 'elsewhere' | 'absent'
  /** Addresses with a folder of files. */
  folders: string[]
}

export interface MetadataHave extends Observed {
  made: Made[]
  routers: RouterView[]
}

export type MetadataStep =
  | { op: 'files.write'; spec: vrouterDesired.MetadataSpec }
  | { op: 'files.remove'; ip: string }
  | { op: 'record.write'; made: Made }
  | { op: 'record.remove' }
  | { op: 'readers.move'; add: readonly Reader[]; remove: readonly Reader[] }
  | { op: 'server.start' | 'server.stop' }

export type MetadataChange = Change & { router: string } & MetadataStep
