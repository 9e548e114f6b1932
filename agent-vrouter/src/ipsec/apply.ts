/** Carries out one change of a tunnel. Decides nothing. */
import { ipsecAsk, routerNetns } from '@skerry/contract'
import { buildTable, moveElements, nftables } from '@skerry/host'
import type { IpsecChange } from './have.ts'
import type { IpsecPorts } from './observe.ts'
import { charonDir, ipsecRecords, keyPath, readKey } from './records.ts'
import { IPSEC_TABLE, ipsecShape, type Spec, toConnection } from './rules.ts'

export async function apply(ports: IpsecPorts, change: IpsecChange): Promise<void> {
  const { host, stateDir } = ports
  const { router, uuid } = change
  const netns = routerNetns(router)
  const dir = charonDir(stateDir, router)
  const at = { stateDir, router, uuid }
  switch (change.op) {
    case 'charon.start':
      return host.charon.start({ dir, netns })
    case 'charon.stop':
      return host.charon.stop(dir)
    case 'connection.load':
      return load(ports, { router, uuid }, change.spec)
    case 'connection.unload':
      return host.charon.at(dir).unload(change.name)
    case 'rule.add':
      return host.routing.at(netns).add(change.rule)
    case 'rule.del':
      return host.routing.at(netns).del(change.rule)
    case 'table.make':
      return host.nft.at(netns).apply(buildTable(ipsecShape, change.elements))
    case 'table.move': {
      const { add, remove } = change
      const move = (set: 'peers' | 'outward' | 'inward') => moveElements(IPSEC_TABLE, set, { add: add[set], remove: remove[set] })
      return host.nft.at(netns).apply([...move('peers'), ...move('outward'), ...move('inward')])
    }
    case 'table.drop':
      return host.nft.at(netns).apply(nftables.dropTable(IPSEC_TABLE))
    case 'record.write':
      return ipsecRecords.write(host.files, at, change.spec)
    case 'record.remove':
      await host.files.remove(keyPath(at))
      return host.files.remove(ipsecRecords.path(at))
  }
}

/** The key that is here is used if it is the one that is meant; else it is asked for. It stays sealed on the disk. */
async function load(
  { host, stateDir, askKey, unseal }: IpsecPorts,
  of: { router: string; uuid: string },
  spec: Spec,
): Promise<void> {
  const at = { stateDir, ...of }
  const known = await readKey(host.files, at)
  const sealed = known?.keyUuid === spec.keyUuid ? known : await askKey(of.uuid)
  const key = unseal(sealed.key, ipsecAsk.context(of.uuid))
  if (sealed !== known) await host.files.write(keyPath(at), `${JSON.stringify(sealed)}\n`)
  await host.charon.at(charonDir(stateDir, of.router)).load(toConnection(of.uuid, spec), key)
}
