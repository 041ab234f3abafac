"""A durable saga engine: steps with compensations, a journal, leases. It knows nothing of what the steps do."""
