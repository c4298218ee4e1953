"""The kinds of feeds that come along, each an entry point; none knows another."""
