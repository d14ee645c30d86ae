"""Running Filmroll: balancers, clusters, clouds."""
