"""What the acceptable use policy says: editions as data, and a judge that applies them.

It reads no clock, asks nobody and changes nothing; it refuses to judge where the holder is not named, and it never
acts on a verdict.
"""
