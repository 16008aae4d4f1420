"""What is true: the only SQL, the only rows.

Each write is one named transition in one transaction.
"""
