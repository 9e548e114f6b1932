/** Says without end what nobody asked, and a single word that is too long. */
const flood = async () => {
  for (let i = 0; ; i++) {
    console.log('x'.repeat(1000), i)
    if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
}

export default {
  name: 'floods',
  version: '1.0.0',
  summary: 'Floods',
  steps: [{ workflow: 'vm.create', name: 'step', after: 'persist', do: flood, noUndo: 'words are gone' }],
  strategies: { hosts: () => 'x'.repeat(4 * 1024 * 1024) },
}
