/** The `skerry` command, for those who run it in process. */
export { exitCodes } from './failure.ts'
export type { Io, RawTerminal } from './io.ts'
export { run } from './run.ts'
