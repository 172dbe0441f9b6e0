"""One class for each namespace of the EigenPal API; a method is a signature, a docstring and one call."""
