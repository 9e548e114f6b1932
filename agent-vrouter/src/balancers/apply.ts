/** Carries out one change of a load balancer. Decides nothing. */
import { routerNetns, SkerryError } from '@skerry/contract'
import { haproxyFiles, moveElements } from '@skerry/host'
import { ROUTER_TABLE, SERVICES } from '../routers/rules.ts'
import type { BalancerChange } from './have.ts'
import { type BalancerPorts, fingerprintOf } from './observe.ts'
import { toElement } from './services.ts'
import { balancerDir, listText, madePath } from './spec.ts'

export async function apply(ports: BalancerPorts, change: BalancerChange): Promise<void> {
  const { host, stateDir } = ports
  const { files, haproxy } = host
  const dir = balancerDir(stateDir, change.uuid)
  switch (change.op) {
    case 'folder.make':
      // keys of certificates lie in it
      await files.makeDir(dir, 0o700)
      return files.write(madePath(dir), `${JSON.stringify(change.made)}\n`)
    case 'folder.remove':
      return files.remove(dir)
    case 'services.move': {
      const move = { add: change.add.map(toElement), remove: change.remove.map(toElement) }
      return host.nft.at(routerNetns(change.router)).apply(moveElements(ROUTER_TABLE, SERVICES, move))
    }
    case 'list.set':
      // the process first: the file says what it has been told
      if (change.live) await haproxy.at(dir).setList(change.file, change.entries)
      return files.write(`${dir}/${change.file}`, listText(change.entries))
    case 'certificate.put':
      return putCertificate(ports, dir, change)
    case 'file.remove':
      return files.remove(`${dir}/${change.file}`)
    case 'conf.write':
      return haproxy.configure(dir, change.conf)
    case 'process.start':
      return haproxy.start({ dir, netns: routerNetns(change.router) })
    case 'process.reload':
      return haproxy.reload(dir, change.digest)
    case 'process.stop':
      return haproxy.stop(dir)
    case 'server.add':
      return haproxy.at(dir).addServer(change.listener, change.server, change.health)
    case 'server.weigh':
      return haproxy.at(dir).setWeight(change.listener, change.server, change.weight)
    case 'server.remove':
      return haproxy.at(dir).removeServer(change.listener, change.server)
  }
}

type Put = Extract<BalancerChange, { op: 'certificate.put' }>

async function putCertificate({ host, certificate }: BalancerPorts, dir: string, change: Put): Promise<void> {
  const pem = await certificate(change.certificate.uuid)
  if (fingerprintOf(pem) !== change.certificate.fingerprint)
    throw new SkerryError('invalid-document', 'the certificate that was told is not the one that the document names', {
      certificateUuid: change.certificate.uuid,
    })
  const file = haproxyFiles.certificate(change.listener)
  if (change.live) await host.haproxy.at(dir).setCertificate(file, pem)
  await host.files.write(`${dir}/${file}`, pem, 0o600)
}
