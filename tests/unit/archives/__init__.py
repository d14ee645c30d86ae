"""The readers of archives, fed with real ones: of tarfile and zipfile, of tar, zip and zstd."""
