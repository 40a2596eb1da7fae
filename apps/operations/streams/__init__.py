"""The audit log as it is sent on to a tenant's own systems, entry by entry, in the order of the log."""
