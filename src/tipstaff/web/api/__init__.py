"""The same reads as the console, as JSON, for who is logged in."""
