/** `node --import tsx scripts/lib/fault-table.ts`: writes the table of faults into the README, from `test/harness/fault-table.ts`. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FAULT_MARKS, faultMarkdown } from '../../test/harness/fault-table.ts'

const readme = join(import.meta.dirname, '../../README.md')
const text = await readFile(readme, 'utf8')
const [begin, end] = [text.indexOf(FAULT_MARKS.begin), text.indexOf(FAULT_MARKS.end)]
if (begin < 0 || end < begin) throw new Error(`README.md lacks ${FAULT_MARKS.begin} or ${FAULT_MARKS.end}`)
await writeFile(readme, text.slice(0, begin) + faultMarkdown() + text.slice(end + FAULT_MARKS.end.length))
