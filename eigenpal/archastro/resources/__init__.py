"""The namespaces of the ArchAstro API, one file each."""
