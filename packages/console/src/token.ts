/**
 * [format] A token of a console or tunnel: `<agent uuid>_<resource uuid>_<epoch in base 36>_<secret>`. The first parts say where to ask,
 * so that a proxy needs no graph and keeps nothing; only the secret opens anything. The agent knows the secret's hash, and takes it once.
 */
import { createHash } from 'node:crypto'
import { SkerryError } from '@skerry/contract'

export interface ConsoleToken {
  /** agent-kvm of the VM's host, or agent-vrouter of the router's; 32 hex */
  agentUuid: string
  /** the VM, or the L3 network of the router */
  resourceUuid: string
  /** of the controller that announced it */
  epoch: number
  /** 192 bits, base64url */
  secret: string
}

const TOKEN = /^([0-9a-f]{32})_([0-9a-f]{32})_([0-9a-z]{1,11})_([A-Za-z0-9_-]{32})$/

export const consoleTokenText = ({ agentUuid, resourceUuid, epoch, secret }: ConsoleToken): string =>
  `${agentUuid}_${resourceUuid}_${epoch.toString(36)}_${secret}`

/** Throws `session-invalid` for what can't be a token. */
export function parseConsoleToken(text: string): ConsoleToken {
  const [, agentUuid, resourceUuid, epoch, secret] = TOKEN.exec(text) ?? []
  if (!agentUuid || !resourceUuid || !epoch || !secret)
    throw new SkerryError('session-invalid', 'this is no token of a console or tunnel')
  return { agentUuid, resourceUuid, epoch: Number.parseInt(epoch, 36), secret }
}

/** SHA-256 in hex, as `allow-console` announces it. */
export const hashOfSecret = (secret: string): string => createHash('sha256').update(secret).digest('hex')
