export * from './nats.ts'
export * from './require.ts'
