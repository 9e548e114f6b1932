/** A client of a Skerry controller, for programs. Computed from the contract. */
export * from './client.ts'
export { eventsOf, type ServerEvent } from './events.ts'
export { errorFromProblem, UnreachableError } from './problem.ts'
export { apiNamed, queryOf, requestOf, variablesOf } from './request.ts'
export { fetchTrusting } from './tls-fetch.ts'
