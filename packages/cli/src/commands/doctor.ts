/** `skerry doctor`: looks at this machine and says what to do. */
import { diagnose } from '../doctor/checks.ts'
import { type ExitCode, exitCodes } from '../failure.ts'
import type { Io } from '../io.ts'
import { type Format, formatList } from '../output.ts'

export async function doctor(io: Io, o: { output: Format }): Promise<ExitCode> {
  const findings = diagnose(await io.doctor())
  io.out(
    await formatList(
      findings.map((one) => ({ ...one })),
      ['check', 'verdict', 'found', 'remedy'],
      o.output,
    ),
  )
  return findings.some(({ verdict }) => verdict === 'fail') ? exitCodes.failure : exitCodes.ok
}
