"""Is the suite any good? Change the code in one place, and see whether a test notices.

`mutants` lists the changes, `patching` brings one into a process that has imported the code
already, `coverage` finds out which tests can notice it, and `plugin` lets pytest run them: see
``nox -s mutate``. Nothing is ever written to the tree.
"""
