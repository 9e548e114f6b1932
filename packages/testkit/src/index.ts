export * from './lab/index.ts'
export * from './nats.ts'
export * from './require.ts'
