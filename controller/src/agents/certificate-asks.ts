/** An agent-vrouter asks for a certificate and its key when a load balancer that it has the document of needs it. */
import { certificateAsk, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import { documentKey } from '../desired/project.ts'
import { CERTIFICATE_REF, LISTENER, rowsBy } from '../workflows/load-balancer.rows.ts'
import type { Ask } from './asks.ts'

const uses = (graph: Graph, agentUuid: string, certificate: string): boolean =>
  rowsBy(graph, CERTIFICATE_REF, 'certificateUuid', certificate).some((ref) => {
    const uuid = graph.get(LISTENER, ref['listenerUuid'] as string)?.['loadBalancerUuid'] as string
    return graph.get('desired', documentKey({ agentUuid, noun: 'balancer', uuid }))?.['tombstone'] === false
  })

export const certificates: Ask = {
  verb: certificateAsk.verb,
  kind: 'vrouter',
  async answer({ graph, agentUuid, sealed }, data) {
    const { certificateUuid: uuid } = certificateAsk.input.parse(data)
    const row = graph.get('certificate', uuid)
    if (!row || !uses(graph, agentUuid, uuid))
      throw new SkerryError('not-found', `this agent has no load balancer with certificate ${uuid}`, {
        resource: 'certificate',
        uuid,
      })
    return { certificate: row['certificate'], privateKey: await sealed(row['privateKey'], certificateAsk.context(uuid)) }
  },
}
