/**
 * The files that a guest reads: as the EC2 metadata service has them (`/latest/…`, which cloud-init finds by itself), and as cloud-init's
 * NoCloud reads them from a network (`/nocloud/`). Pure. A folder's `index` is what a client sees that asks for the folder.
 */
import { createHash } from 'node:crypto'
import type { vrouterDesired } from '@skerry/contract'

type Spec = vrouterDesired.MetadataSpec

const lines = (...all: string[]) => all.map((line) => `${line}\n`).join('')

/** Text by path below the guest's own folder. */
export function filesOf(spec: Spec): Record<string, string> {
  const { instanceId, hostname, ip, mac, sshKeys, userData } = spec
  const name = hostname ?? `vm-${instanceId.slice(0, 8)}`
  const meta: Record<string, string> = {
    'instance-id': instanceId,
    hostname: name,
    'local-hostname': name,
    'local-ipv4': ip,
    mac,
  }
  const keys = sshKeys.length > 0 ? ['public-keys/'] : []
  return {
    index: lines('latest'),
    'latest/index': lines('meta-data/', ...(userData === null ? [] : ['user-data'])),
    'latest/meta-data/index': lines(...Object.keys(meta), ...keys),
    ...Object.fromEntries(Object.entries(meta).map(([key, text]) => [`latest/meta-data/${key}`, text])),
    ...keyFiles(sshKeys),
    ...(userData === null ? {} : { 'latest/user-data': userData }),
    // YAML reads JSON
    'nocloud/meta-data': `${JSON.stringify({ 'instance-id': instanceId, 'local-hostname': name, 'public-keys': sshKeys })}\n`,
    'nocloud/user-data': userData ?? '',
    'nocloud/vendor-data': '',
  }
}

function keyFiles(sshKeys: readonly string[]): Record<string, string> {
  if (sshKeys.length === 0) return {}
  const folder = 'latest/meta-data/public-keys'
  return {
    [`${folder}/index`]: lines(...sshKeys.map((_, n) => `${n}=key-${n}`)),
    ...Object.fromEntries(
      sshKeys.flatMap((key, n) => [
        [`${folder}/${n}/index`, lines('openssh-key')],
        [`${folder}/${n}/openssh-key`, lines(key)],
      ]),
    ),
  }
}

export const digestOf = (spec: Spec): string =>
  createHash('sha256')
    .update(JSON.stringify(filesOf(spec)))
    .digest('hex')
