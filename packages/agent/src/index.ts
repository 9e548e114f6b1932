/** What agents share, and the SDK for agents of third parties: ledger, sync, commands with receipts, heartbeat, enrolment. */
export * from './agent.ts'
export { type AgentCommand, type CommandContext, type CommandSpec, defineCommand } from './commands.ts'
export { CheckedFile, type Damage, type LedgerFiles } from './ledger/checked-file.ts'
export type { LedgerEntry } from './ledger/entry.ts'
export { type DigestEntry, type Ledger, type LedgerPorts, openLedger } from './ledger/ledger.ts'
export { specHash } from './sync.ts'
