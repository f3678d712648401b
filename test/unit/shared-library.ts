/** The least that is taken for a shared library: an ELF header that promises nothing after itself. */
export const SHARED_LIBRARY = '\x7fELF\x02\x01\x01'.padEnd(64, '\0')
