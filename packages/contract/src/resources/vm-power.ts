/** Start, stop and restart: of VMs, and of VPC routers, which ZStack starts and stops by the same calls. */
import { z } from 'zod'
import { action } from '../api.ts'
import { uuid } from '../scalars.ts'

export const startVmInstance = {
  ...action('StartVmInstance', '/vm-instances/{uuid}/actions', {
    of: 'vmInstance',
    workflow: 'vm.start',
    verb: 'start',
    summary: 'Start a VM instance',
    allowed: ['Created', 'Stopped', 'Running', 'Crashed'],
    params: { clusterUuid: uuid.optional(), hostUuid: uuid.optional() },
  }),
  otherwise: { of: 'vpcRouter', workflow: 'vpcRouter.start' },
}
export const stopVmInstance = {
  ...action('StopVmInstance', '/vm-instances/{uuid}/actions', {
    of: 'vmInstance',
    workflow: 'vm.stop',
    verb: 'stop',
    summary: 'Stop a VM instance (grace: ask the guest; cold: cut its power)',
    allowed: ['Running', 'Stopped', 'Unknown', 'Crashed', 'NoState', 'Paused'],
    params: { type: z.enum(['grace', 'cold']).optional(), stopHA: z.enum(['true']).optional() },
  }),
  otherwise: { of: 'vpcRouter', workflow: 'vpcRouter.stop' },
}
export const rebootVmInstance = {
  ...action('RebootVmInstance', '/vm-instances/{uuid}/actions', {
    of: 'vmInstance',
    workflow: 'vm.reboot',
    verb: 'reboot',
    summary: 'Restart a VM instance',
    allowed: ['Running', 'Crashed', 'NoState'],
  }),
  otherwise: { of: 'vpcRouter', workflow: 'vpcRouter.reboot', allowed: ['Running'] },
}
