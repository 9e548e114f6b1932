/** Wiring only: agent-vrouter on this machine. */
import { startAgent } from '@skerry/agent'
import { buildVrouter } from './build.ts'
import { watchFolder } from './leases/folder-watch.ts'

await startAgent({ kind: 'vrouter', build: (host, context) => buildVrouter(host, context, { watchFolder }) })
