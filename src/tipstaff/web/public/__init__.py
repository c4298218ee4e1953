"""Pages for everybody: how to report, the policy, and what became of one's own report. They name no customer."""
