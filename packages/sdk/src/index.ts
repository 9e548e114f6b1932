/** A client of a Skerry controller, for programs. Computed from the contract. */
export { type ErrorCode, SkerryError } from '@skerry/contract/errors'
export * from './answers.ts'
export { apiNamed, type Client, createClient, queryOf } from './client.ts'
export { eventsOf, type ServerEvent } from './events.ts'
export { errorFromProblem, UnreachableError } from './problem.ts'
export { requestOf, variablesOf } from './request.ts'
export { fetchTrusting } from './tls-fetch.ts'
export type { Answer, ApiName, Inventory, Params, Plan, PlanNode, ResourceName, ResultOf } from './typed.ts'
