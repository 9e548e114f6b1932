/** Sagas that survive the controller, the queues they run in, and `prove()`. Pure: journal, clock and sleep come in as ports. */
export * from './command-id.ts'
export * from './inventory.ts'
export * from './journal.ts'
export * from './memory-journal.ts'
export * from './prove.ts'
export * from './queue.ts'
export * from './runner.ts'
export * from './workflow.ts'
