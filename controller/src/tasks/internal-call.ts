/** Calls that the controller makes itself go through the same door as everybody's. */
import { ADMIN_ACCOUNT, apis, SkerryError } from '@skerry/contract'
import type { Call } from '../engine/port.ts'

/** A call of an API on one resource, with the rights of the system. */
export function internalCall(api: string, uuid: string): Call {
  const found = apis.find((a) => a.api.api === api)
  if (!found) throw new SkerryError('internal', `there is no API ${api}`)
  const variable = /\{(\w+)\}/.exec(found.api.path)?.[1] ?? 'uuid'
  return {
    ...found,
    params: { [variable]: uuid },
    bodyHash: `${api} ${uuid}`,
    caller: { accountUuid: ADMIN_ACCOUNT, sessionUuid: 'system', admin: true },
  }
}
