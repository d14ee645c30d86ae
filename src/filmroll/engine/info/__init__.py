"""What is told of an original: ``describe`` puts it together, each module makes one part.

The pictures that they look at have a few thousand pixels: Python is quick enough for that, and a
child needs no library for numbers.
"""
