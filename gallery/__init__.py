"""Every operation on real photographs, to look at with one's own eyes."""
