"""Bulk: batches, their ledgers, and all ways in which their items come."""
