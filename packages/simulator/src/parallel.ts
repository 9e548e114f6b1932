/** Does it for each, so many at once; the first failure is thrown when all that began have ended. */
export async function inParallel<T>(items: readonly T[], atOnce: number, act: (item: T) => Promise<unknown>): Promise<void> {
  const left = [...items].reverse()
  const worker = async () => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await act(item)
  }
  const ends = await Promise.allSettled(Array.from({ length: Math.min(atOnce, items.length) }, worker))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}
