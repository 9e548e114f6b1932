/** Classes that the table lacks and the map of ZStack's Java SDK (5.2.0) holds: without them a typed list of theirs can't be read. */
export const besides: Record<string, string> = {
  NetworkServiceL3NetworkRefInventory: 'org.zstack.header.network.service.NetworkServiceL3NetworkRefInventory',
  NetworkServiceProviderInventory: 'org.zstack.header.network.service.NetworkServiceProviderInventory',
  ManagementNodeInventory: 'org.zstack.header.managementnode.ManagementNodeInventory',
  UsedIpInventory: 'org.zstack.header.network.l3.UsedIpInventory',
  AccountPriceTableRefInventory: 'org.zstack.billing.table.AccountPriceTableRefInventory',
  AffinityGroupUsageInventory: 'org.zstack.header.affinitygroup.AffinityGroupUsageInventory',
  GarbageCollectorInventory: 'org.zstack.core.gc.GarbageCollectorInventory',
  PriceInventory: 'org.zstack.billing.PriceInventory',
  PriceTableInventory: 'org.zstack.billing.table.PriceTableInventory',
  SchedulerJobHistoryInventory: 'org.zstack.header.scheduler.SchedulerJobHistoryInventory',
  SharedResourceInventory: 'org.zstack.header.identity.SharedResourceInventory',
  VolumeSnapshotTreeInventory: 'org.zstack.header.storage.snapshot.VolumeSnapshotTreeInventory',
}
