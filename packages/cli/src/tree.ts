/** Rows that came of one another, drawn as a tree. Pure. */
import type { Row } from '@skerry/contract'
import { humanBytes } from './output.ts'

export interface Leaf {
  inventory: Row
  children: readonly Leaf[]
}

/** One line a row, its branches below it: `├─ name  uuid  size  date`. */
export function drawnTree(root: Leaf, label: (row: Row) => string = snapshotLabel): string {
  return [label(root.inventory), ...branches(root.children, '', label)].join('\n')
}

function branches(children: readonly Leaf[], indent: string, label: (row: Row) => string): string[] {
  return children.flatMap((child, i) => {
    const last = i === children.length - 1
    return [
      `${indent}${last ? '└─' : '├─'} ${label(child.inventory)}`,
      ...branches(child.children, `${indent}${last ? '   ' : '│  '}`, label),
    ]
  })
}

function snapshotLabel({ name, uuid, size, createDate, latest, status }: Row): string {
  const facts = [name, uuid, typeof size === 'number' ? humanBytes(size) : '', createDate, status === 'Ready' ? '' : status]
  const present = latest === true ? '← what is there now began here' : ''
  return [...facts, present].filter(Boolean).join('  ')
}
