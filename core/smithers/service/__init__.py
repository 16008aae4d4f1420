"""The one door for every surface: verbs (`control`) and questions (`reading`), already safe to print."""
