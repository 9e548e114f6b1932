/** Builds the tiny guest image into the tests' cache, while there still is a network: the system lane has none. */
import { guestImage } from './demo.ts'

console.log(await guestImage())
