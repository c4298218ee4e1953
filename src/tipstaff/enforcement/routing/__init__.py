"""What drivers that announce routes share: what a rule becomes on the wire, the book on disk, the keeper of ends.

It announces nothing itself: BIRD, ExaBGP and GoBGP speak BGP, and each has its driver.
"""
