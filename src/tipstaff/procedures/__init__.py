"""The stories, one file each, read top to bottom. Rooms meet only here; nothing here reads a clock or a setting."""
