"""HTTP over the use cases: routes, problems, conditional requests, streaming; thin."""
