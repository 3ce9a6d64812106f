"""Adapters with the classic mistakes, and one without: tests of the explorer.

Every module says in its first line what is wrong with it, and has a `SPECIMEN`: the program, where
to look, and which invariant breaks. They share the parts of `parts`; what is wrong stands alone.
"""
