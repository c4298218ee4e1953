"""How editions of the policy come to count: drafted, approved, compiled, announced, posted; and who accepted which.

It keeps and never judges: what an edition says is the policy room's matter. It refuses to let one person both write
and approve, and to change or delete what was posted.
"""
