/** The requests of a run by their number: the same for the same seed, on the same ground. */
import { call } from './calls.ts'
import { chanceOf } from './chance.ts'
import { streams } from './doors.ts'
import type { Ground } from './ground.ts'
import { bytes, logins, paths, programs, query } from './others.ts'
import type { FuzzRequest } from './request.ts'

/** What a request is, of so many. */
const SHARES = { call: 66, query: 16, programs: 6, paths: 9, logins: 2.5, bytes: 0.5, streams: 1 }
const makers = { call, query, programs, paths, logins, bytes, streams }

export function requestOf(ground: Ground, seed: number, number: number): FuzzRequest {
  const chance = chanceOf(seed, number)
  return { ...makers[chance.weighed(SHARES)](ground, chance), number } as FuzzRequest
}
