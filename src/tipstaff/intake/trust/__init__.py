"""How far a report may be believed: who vouches for its sender, and what its evidence can show; it judges nothing."""
