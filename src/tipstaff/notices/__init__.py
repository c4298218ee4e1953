"""Letters out: composed, kept until the mail server has answered, sent once. Never sends what it is unsure of twice.

`compose` and `redact` are pure; `operations` and `queries` are the doors to the store; `outbound` speaks SMTP;
`posting` carries one letter from the store to the mail server.
"""
