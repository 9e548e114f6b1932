/** What is recorded, where, and by whom. Tests record the same and compare. */
import { LOG, recordJournal } from '../../../controller/test/golden-journal.ts'
import { DIR, recordSecrets } from '../../../controller/test/golden-secrets.ts'
import { kinds, recordLedger } from '../../../packages/agent/test/golden-ledger.ts'
import { CONTRACT_VERSION } from '../../../packages/contract/src/index.ts'

export interface Recorder {
  /** below the root of the repository; the version is in it */
  folder: string
  /** file name → content */
  record(): Promise<ReadonlyMap<string, Uint8Array>>
}

/** Of the files of an agent's ledger. */
const LEDGER_VERSION = 1
/** Of sealed values, the site key and small documents of the controller. */
const SECRETS_VERSION = 1

export const recorders: readonly Recorder[] = [
  {
    folder: `controller/test/golden/journal-v${CONTRACT_VERSION}`,
    async record() {
      const disk = await recordJournal()
      return new Map(disk.files().map((file) => [file.slice(LOG.length + 1), disk.content(file)!]))
    },
  },
  {
    folder: `controller/test/golden/secrets-v${SECRETS_VERSION}`,
    async record() {
      const disk = await recordSecrets()
      return new Map(disk.files().map((file) => [file.slice(DIR.length + 1), disk.content(file)!]))
    },
  },
  ...kinds.map((kind) => ({
    folder: `packages/agent/test/golden/ledger-v${LEDGER_VERSION}/${kind}`,
    record: () => recordLedger(kind),
  })),
]
