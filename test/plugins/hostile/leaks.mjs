/** Keeps what it takes: memory that no heap limit counts, and never enough of it. */
const kept = []
const leak = async () => {
  for (;;) {
    kept.push(Buffer.alloc(8 * 1024 * 1024, 1))
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export default {
  name: 'leaks',
  version: '1.0.0',
  summary: 'Leaks',
  steps: [
    {
      workflow: 'vm.create',
      name: 'step',
      after: 'persist',
      timeoutMs: 60_000,
      do: leak,
      noUndo: 'memory goes with the process',
    },
  ],
}
