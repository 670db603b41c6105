"""What a token says of itself: `decode` reads it, `times` words its times, `explain` judges it.

Nothing here checks a signature, and nothing here touches a network: what comes out is a claim by
whoever wrote the token.
"""
