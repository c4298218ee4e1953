"""What a piece of text says: addresses, names, times, kinds of abuse. It looks at characters only and opens nothing."""
