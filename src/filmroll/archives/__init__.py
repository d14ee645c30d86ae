"""Archives as they stream: tar, tar.gz, tar.zst and zip, member by member, in flat memory.

``read_archive`` yields a ``Member`` for every regular file, a ``Skipped`` for what nobody meant to
upload and a ``Refused`` for what may not come in. Nothing is written anywhere, and no name is ever
used as a path here. Less than about 4 MiB of an archive are in memory at a time (and up to 8 MiB
that zstd looks back).
"""

from filmroll.archives.items import ArchiveLimits, Item, Member, Refused, Skipped
from filmroll.archives.reader import read_archive

__all__ = ["ArchiveLimits", "Item", "Member", "Refused", "Skipped", "read_archive"]
