"""What happens: the loop of one run, and the attempts it starts.

Effects live here; decisions do not.
"""
