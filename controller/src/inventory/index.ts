export * from './fields.ts'
export * from './render.ts'
export * from './schema.ts'
export * from './targets.ts'
