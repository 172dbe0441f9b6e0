"""Typed answers of the EigenPal API, one file for each domain. Facts of the wire only; no behaviour, no I/O."""
