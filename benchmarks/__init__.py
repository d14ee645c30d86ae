"""How fast Filmroll is, and how much memory it takes, beside its peers. See README.md."""
