/** Answers what can't be: hosts that don't exist, more than fits, what nobody asked. */
export default {
  name: 'lies',
  version: '1.0.0',
  summary: 'Lies',
  steps: [
    {
      workflow: 'vm.create',
      name: 'step',
      after: 'persist',
      do: () => ({ text: 'x'.repeat(100_000) }),
      noUndo: 'it did nothing',
    },
  ],
  strategies: {
    unknown: () => ['f'.repeat(32)],
    twice: ({ hosts }) => [hosts[0].uuid, hosts[0].uuid],
    other: () => ({ hosts: 'all' }),
  },
}
