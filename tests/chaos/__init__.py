"""`make chaos`: tills sell while all that Kanpu runs on is killed, cut, filled up and fed with rubbish.

The rules that it plays by are in docs/reliability.md.
"""
