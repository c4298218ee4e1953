"""The drivers that come with the program. Each folder is one plug-in, named by an entry point like any other's."""
