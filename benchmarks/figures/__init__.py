"""The figures: each module has a ``TITLE`` and ``run(folder, rounds)``, which returns rows."""
