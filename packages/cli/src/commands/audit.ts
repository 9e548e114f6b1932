/** `skerry audit --hosts`: what the graph says against what the hosts hold. Differences are a failure. */
import type { Row } from '@skerry/contract'
import { type ExitCode, exitCodes } from '../failure.ts'
import type { Io } from '../io.ts'
import { type Format, formatList } from '../output.ts'
import { clientOf, type Globals } from '../session.ts'

const columns = ['host', 'kind', 'id', 'expected', 'observed', 'remedy']

export async function audit(io: Io, o: Globals & { output: Format }): Promise<ExitCode> {
  const client = await clientOf(io, o)
  const { differences, checked } = await client.auditHosts()
  if (o.output !== 'table') io.out(await formatList(differences as Row[], columns, o.output))
  else {
    if (differences.length > 0) io.out(await formatList(differences as Row[], columns, 'table'))
    io.out(`${differences.length} differences, ${checked} things checked`)
  }
  return differences.length === 0 ? exitCodes.ok : exitCodes.failure
}
