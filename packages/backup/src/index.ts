/** A backup as a file: its form, its checks, its encryption. Knows nothing of what the rows in it mean. */
export { type BackupTarget, readFileChunks, writeBackupFile } from './file.ts'
export { type BackupHeader, type BackupLine, type BackupPart, backupHeader, PARTS, type SiteFile } from './format.ts'
export { type Checked, checkBackup, linesOf } from './read.ts'
export { checkPassphrase, isSealed, open, seal } from './seal.ts'
export { backupText, withKeys } from './write.ts'
