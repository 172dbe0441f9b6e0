"""Models of the ArchAstro API, one file per domain. Every member but ids may be absent or null: both read as None."""
