"""Queues: adapters of ``ports.JobQueue``."""
