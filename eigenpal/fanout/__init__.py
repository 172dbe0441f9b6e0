"""Many pieces of work at once, on any service: bounded, lazy, journaled. Knows no service and no resource."""
