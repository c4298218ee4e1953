"""The machine we run on: the embedded PostgreSQL and the processes. It knows nothing of complaints."""
