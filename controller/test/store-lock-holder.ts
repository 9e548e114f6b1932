/** A process that holds the lock of a folder until it is killed. For store-lock.test.ts. */
import { lockFolder } from '../src/store/index.ts'

await lockFolder(process.argv[2]!, { pid: process.pid, hostName: 'holder' })
process.stdout.write('locked\n')
setInterval(() => undefined, 1_000)
