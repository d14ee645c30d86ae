"""Catalogs: adapters of ``ports.Catalog``, and the rules that all of them follow."""
