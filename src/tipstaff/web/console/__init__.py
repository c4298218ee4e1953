"""Where staff work: what waits, every case on one page, and the record behind it."""
