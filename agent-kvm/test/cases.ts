/** Folders of want/have/changes/status, each a sentence about a plan. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { PlanContext } from '@skerry/reconcile'

export interface Case {
  name: string
  want: Record<string, unknown> & { buried?: boolean; orphan?: boolean }
  have: Record<string, unknown>
  changes: unknown[]
  status: { condition: string; observed: Record<string, unknown>; code?: string; details?: Record<string, unknown> } | undefined
}

export function cases(noun: 'bridges' | 'vms'): Case[] {
  const folder = fileURLToPath(new URL(`../src/${noun}/cases/`, import.meta.url))
  const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'))
  return readdirSync(folder).map((name) => {
    const files = readdirSync(folder + name)
    const part = (file: string) => read(`${folder}${name}/${file}.json`)
    return {
      name: name.replaceAll('-', ' '),
      want: part('want'),
      have: part('have'),
      changes: part('changes'),
      status: files.includes('status.json') ? part('status') : undefined,
    }
  })
}

export const uuid = 'a'.repeat(32)
export const bootId = 'boot-1'

export function contextOf(buried: boolean): PlanContext {
  const tombstone = { uuid, generation: { incarnation: 1, seq: 9 }, facts: {}, spec: undefined }
  return {
    bootId,
    nowMs: 0,
    wanted: [],
    buried: new Map(buried ? [[uuid, tombstone]] : []),
    wantedOf: () => [],
    buriedOf: () => [],
  }
}
