export * from './nats.ts'
