/** Snapshots that came of one another, as people see them. */
import { expect, test } from 'vitest'
import { planText } from '../src/commands/call.ts'
import { drawnTree, type Leaf } from '../src/tree.ts'

const leaf = (name: string, children: Leaf[] = [], more = {}): Leaf => ({
  inventory: {
    name,
    uuid: `u-${name}`,
    size: 2048,
    createDate: '2026-01-02T03:04:05.000Z',
    status: 'Ready',
    latest: false,
    ...more,
  },
  children,
})
const facts = (name: string) => `${name}  u-${name}  2 KiB  2026-01-02T03:04:05.000Z`

test('branches stand below what they came of; what the volume holds now is named, and what is not ready', () => {
  const root = leaf('base', [
    leaf('first', [leaf('inner', [], { latest: true })]),
    leaf('second', [leaf('going', [], { status: 'Deleting' })]),
  ])
  expect(drawnTree(root).split('\n')).toEqual([
    facts('base'),
    `├─ ${facts('first')}`,
    `│  └─ ${facts('inner')}  ← what is there now began here`,
    `└─ ${facts('second')}`,
    `   └─ ${facts('going')}  Deleting`,
  ])
})

test('a deletion that is shown is a tree: what goes below what, what only stops and what loses a reference', () => {
  const node = (resource: string, name: string, action: string, children: object[] = []) => ({
    resource,
    uuid: `u-${name}`,
    name,
    action,
    children,
  })
  const tree = node('l2Network', 'lan', 'delete', [
    node('l3Network', 'web', 'delete', [node('vmNic', 'n', 'delete', [node('vmInstance', 'vm1', 'stop')])]),
    node('instanceOffering', 'small', 'detach'),
  ])
  const text = planText({ workflow: 'resource.delete', steps: ['check'], cascade: [], changes: [], agents: [], tree, hash: 'h' })
  expect(text.split('\n').slice(0, 8)).toEqual([
    'steps: check',
    '',
    'would go:',
    'l2-network lan u-lan',
    '├─ l3-network web u-web',
    '│  └─ nic n u-n',
    '│     └─ vm vm1 u-vm1 (is stopped)',
    '└─ instance-offering small u-small (stays, without it)',
  ])
})
