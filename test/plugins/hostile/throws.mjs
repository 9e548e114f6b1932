/** Throws wherever it is asked, also out of turn. */
const fail = () => {
  setTimeout(() => Promise.reject(new Error('nobody catches this')), 1)
  throw new Error('it always throws')
}

export default {
  name: 'throws',
  version: '1.0.0',
  summary: 'Throws',
  steps: [{ workflow: 'vm.create', name: 'step', after: 'persist', do: fail, undo: fail }],
  strategies: { hosts: fail },
  tags: [{ resource: 'zone', pattern: 'throws::{x}', apis: ['UpdateZone'], check: fail, vet: fail }],
}
