"""Our own measurements of flows, routes, mail and the local network; it measures and refuses to judge. Empty so far.

Nothing is in it yet. What is known of abuse comes from reports only.
"""
