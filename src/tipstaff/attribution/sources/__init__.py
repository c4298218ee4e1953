"""The built-in kinds of identity source; each is a plug-in of its own and reached through its entry point only."""
