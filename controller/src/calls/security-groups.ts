/** Which cards could be in a security group, and whether it could have a rule. Looks only. */
import { type Row, resources, SkerryError } from '@skerry/contract'
import type { Graph } from '@skerry/graph'
import type { Call } from '../engine/port.ts'
import { render } from '../inventory/index.ts'
import { needNew, needRoom, ruleFields } from '../workflows/security.rule.ts'
import { need } from '../workflows/world.ts'

export const securityGroupCalls = (graph: Graph): Record<string, (call: Call) => Row> => ({
  GetCandidateVmNicForSecurityGroup({ params }) {
    const group = need(graph, 'securityGroup', params['securityGroupUuid'])
    const networks = new Set(group['attachedL3NetworkUuids'] as string[])
    const members = new Set(
      [...graph.by('vmNicSecurityGroupRef', 'securityGroupUuid', group['uuid'])].map(
        (k) => graph.get('vmNicSecurityGroupRef', k)?.['vmNicUuid'],
      ),
    )
    const fits = [...graph.rows('vmNic')].filter(
      ([, nic]) => networks.has(nic['l3NetworkUuid'] as string) && !members.has(nic['uuid']),
    )
    return { inventories: fits.map(([, nic]) => render(graph, resources.vmNic, nic)) }
  },
  ValidateSecurityGroupRule({ params }) {
    const group = need(graph, 'securityGroup', params['securityGroupUuid'])
    try {
      const fields = ruleFields(graph, group, params)
      needNew(graph, group['uuid'] as string, fields)
      needRoom(graph, group['uuid'] as string, [fields])
      return { available: true }
    } catch (error) {
      if (!(error instanceof SkerryError)) throw error
      return { available: false, code: error.spec.zstack, reason: error.message }
    }
  },
})
