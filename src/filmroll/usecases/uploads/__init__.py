"""Uploads in parts: sessions, their parts, and what becomes of them."""
