/** What can be asked of each resource: computed from the contract where queries are. */
export { targets } from '@skerry/query'
