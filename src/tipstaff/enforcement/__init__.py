"""Measures wanted, measures seen, and the steps between. It refuses to judge, and it touches no device but its own.

The planner (pure) chooses the narrowest sufficient measure; the store says what is wanted of each device, with a
generation; drivers make a device hold it and read it back. An acknowledgement is never taken for an effect, and a
failed read never for an absence.
"""
