"""The namespaces of the epilot client: one class each, one call for each method."""
