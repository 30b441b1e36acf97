"""What the stages return: dictionaries, as `--json` prints them, that show themselves as text, tables and plots.

One file per stage. pandas, matplotlib and what evaluates is imported only by the methods that need it.
"""
