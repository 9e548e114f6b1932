/** Never gives an answer: one step waits for ever, the other never lets its process do anything again. */
const wait = () => new Promise(() => undefined)
const loop = () => {
  for (;;);
}

export default {
  name: 'hangs',
  version: '1.0.0',
  summary: 'Hangs',
  steps: [
    { workflow: 'vm.create', name: 'loop', after: 'persist', timeoutMs: 500, do: loop, undo: loop },
    { workflow: 'vm.stop', name: 'wait', after: 'power-off', timeoutMs: 500, do: wait, undo: wait },
  ],
  strategies: { hosts: loop },
}
