/** Where this machine's apt gets Debian from: the guest is built from the same places, whichever they are. */
import { SkerryError } from '@skerry/contract'
import type { Exec } from '@skerry/host'

export interface AptSource {
  /** `deb [signed-by=…] URI SUITE COMPONENT`, as sources.list(5) has it */
  line: string
  /** The URI holds a user name or password: it must not be left in a guest. */
  secret: boolean
}

const TIMEOUT_MS = 300_000
/** One a line; what apt does not know it leaves as it is written. */
const FORMAT = '$(ORIGIN)|$(CODENAME)|$(COMPONENT)|$(SIGNED_BY)|$(REPO_URI)|$(RELEASE)'

/** Fetches package lists where there are none. Throws `image-unreachable` when apt has no Debian of this suite. */
export async function aptSources(exec: Exec, suite: string): Promise<AptSource[]> {
  const ask = async () => {
    const { stdout } = await exec.run('apt-get', ['indextargets', '--format', FORMAT, 'Created-By: Packages'], {
      timeoutMs: TIMEOUT_MS,
    })
    return parseTargets(stdout, suite)
  }
  const known = await ask()
  if (known.some(({ line }) => line.includes(` ${suite} `))) return known
  await exec.run('apt-get', ['update', '-q'], { timeoutMs: TIMEOUT_MS })
  const found = await ask()
  if (found.some(({ line }) => line.includes(` ${suite} `))) return found
  throw new SkerryError('image-unreachable', `apt knows no main archive of Debian ${suite}`, {
    remedy: `add Debian's ${suite} main to /etc/apt/sources.list.d and run apt-get update`,
  })
}

/** Debian's own: the suite, its updates and its security updates. */
export function parseTargets(text: string, suite: string): AptSource[] {
  const lines = text.split('\n').flatMap((row): AptSource[] => {
    const [origin, codename = '', component, signedBy = '', uri = '', release = ''] = row.split('|')
    const ours = codename === suite || codename.startsWith(`${suite}-`)
    if (origin !== 'Debian' || !ours || component !== 'main' || uri === '') return []
    const options = signedBy.startsWith('/') ? `[signed-by=${signedBy}] ` : ''
    return [{ line: `deb ${options}${uri} ${release} main`, secret: /^[a-z+]+:\/\/[^/]*@/.test(uri) }]
  })
  return lines.filter(({ line }, at) => lines.findIndex((other) => other.line === line) === at)
}
