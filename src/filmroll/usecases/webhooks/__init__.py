"""Webhooks: who wants to be told, what there is to tell, and how it gets there."""
