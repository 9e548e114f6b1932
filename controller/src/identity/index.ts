export { checkMay, type Decision, decide, notThere } from './decide.ts'
export { seenBy } from './seen.ts'
export { maySee, ownerOf } from './whose.ts'
