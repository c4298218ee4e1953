"""Takes complaints in and keeps each one's identity and outcome; it never judges, answers, opens or resolves anything.

A mail comes through a channel (`channels`), is read by a parser (`reading`, `parsers`) and stands on record as a
report with its incidents (`queries`, `operations`). A report stays itself, whatever case its incidents join.
"""
