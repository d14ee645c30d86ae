"""A cluster of Filmroll as a simulation of discrete events; ``python -m benchmarks.capacity``."""
