"""Learned judgement on what a mail names: who is meant, what is alleged, and how sure that is. It opens nothing.

The weights beside this file come from `tools/train_reading.py`. Inference is plain arithmetic in Python.
"""
