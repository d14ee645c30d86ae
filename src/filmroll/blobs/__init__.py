"""Blob stores: adapters of ``ports.BlobStore``."""
