export * from './agent.ts'
export * from './kvm.ts'
export * from './storage.ts'
export * from './subject.ts'
