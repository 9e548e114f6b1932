/**
 * A primary storage allocator strategy: `tiers:fastest` puts volumes onto the storage of the lowest tier that has room. Storages say
 * theirs by a system tag, `tiers::tier::<number>`; those without one come last.
 * @type {import('@skerry/plugin').Plugin}
 */
export default {
  name: 'tiers',
  version: '1.0.0',
  summary: 'Puts volumes onto the fastest primary storage that has room',
  tags: [
    {
      resource: 'primaryStorage',
      pattern: 'tiers::tier::{number}',
      check({ tokens, refuse }) {
        if (!/^\d{1,3}$/.test(tokens.number)) refuse('a tier is a number from 0 to 999')
      },
    },
  ],
  storageStrategies: {
    fastest({ storages }) {
      const tierOf = ({ tags }) => Number(tags.find((tag) => tag.startsWith('tiers::tier::'))?.split('::')[2] ?? 1_000)
      return [...storages]
        .sort((a, b) => tierOf(a) - tierOf(b) || b.availableCapacity - a.availableCapacity)
        .map(({ uuid }) => uuid)
    },
  },
}
