"""What happened, in order, for good; and the vault of evidence. It never changes and never forgets an entry."""
