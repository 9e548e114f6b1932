/** Keeps a host as its desired documents say: observe → plan → apply, one pass at a time, without retries inside a pass. */
export * from './backoff.ts'
export * from './desired.ts'
export * from './law.ts'
export * from './module.ts'
export * from './reconciler.ts'
