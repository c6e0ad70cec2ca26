// Owns what a sandbox with a bundle of ours sees of /sys: processors and memory, which runtimes ask for, and no device of the host.

/** Below /sys; those that the host has are mounted one by one, read-only. */
export const sysFolders = ['devices/system', 'kernel/mm/transparent_hugepage'] as const;
