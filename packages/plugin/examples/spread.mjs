/**
 * An allocator strategy: `spread:racks` puts a VM into the rack with the fewest VMs. Hosts say their rack by a system tag,
 * `spread::rack::<name>`; each host without one is a rack of its own.
 * @type {import('@skerry/plugin').Plugin}
 */
export default {
  name: 'spread',
  version: '1.0.0',
  summary: 'Puts VM instances into the rack that has the fewest',
  tags: [{ resource: 'host', pattern: 'spread::rack::{name}' }],
  strategies: {
    racks({ hosts }) {
      const rackOf = ({ uuid, tags }) => tags.find((tag) => tag.startsWith('spread::rack::')) ?? uuid
      const vms = new Map()
      for (const host of hosts) vms.set(rackOf(host), (vms.get(rackOf(host)) ?? 0) + host.vms)
      const busy = (host) => vms.get(rackOf(host))
      return [...hosts].sort((a, b) => busy(a) - busy(b) || a.vms - b.vms).map(({ uuid }) => uuid)
    },
  },
}
