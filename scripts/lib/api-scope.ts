/** `scripts/api-scope`: what the contract declares is `here`, and the page follows. Names what has no class; exit code 1 if there is one. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { declared, faults, followed, page, scopeSchema } from '../../controller/test/api-scope.ts'

const folder = join(import.meta.dirname, '../../controller')
const file = join(folder, 'api-scope.json')
const scope = followed(scopeSchema.parse(JSON.parse(await readFile(file, 'utf8'))), declared())
await writeFile(file, `${JSON.stringify(scope, null, 2)}\n`)
await writeFile(join(folder, 'API-SCOPE.md'), page(scope))
const wrong = faults(scope, declared())
for (const line of wrong) console.error(`controller/api-scope.json: ${line}`)
console.log(`${Object.values(scope.apis).filter((is) => is === 'here').length} APIs are here`)
process.exitCode = wrong.length > 0 ? 1 : 0
