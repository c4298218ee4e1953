"""A member of staff's own page: how they log in, and where they are logged in. It shows nobody else's."""
