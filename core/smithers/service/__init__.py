"""The one door for every surface.

Verbs (`control`) and questions (`reading`), already safe to print.
"""
