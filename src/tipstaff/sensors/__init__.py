"""Our own measurements, kept as they were handed in; it measures and refuses to judge.

A sensor hands in what it counted at a time and a place (`words.Sighting`). What that amounts to, a clause says.
"""
