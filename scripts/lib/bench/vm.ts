export async function benchVm(_o: unknown): Promise<{ results: []; voided: [] }> {
  return { results: [], voided: [] }
}
