/** One command line from start to exit code. */
import { CommanderError } from 'commander'
import { exitCodeOf, exitCodes, failureText } from './failure.ts'
import type { Io } from './io.ts'
import { buildProgram, type Outcome } from './program.ts'

/** In no help: the completion script of a shell calls it. */
const ASKED_BY_SHELLS = '__complete'

/** `argv`: without node and script. Never throws; what went wrong is on stderr. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const outcome: Outcome = { doing: 'cannot do that' }
  try {
    if (argv[0] === ASKED_BY_SHELLS) {
      await (await import('./commands/completion.ts')).complete(io, argv.slice(1))
      return exitCodes.ok
    }
    await buildProgram(io, argv, outcome).parseAsync(argv, { from: 'user' })
    return outcome.exitCode ?? exitCodes.ok
  } catch (error) {
    // commander has already written what it has to say
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
    io.err(`${failureText(outcome.doing, error)}\n`)
    return exitCodeOf(error)
  }
}
