"""Where tasks are kept.

Whoever uses one of its modules imports that one: what only writes does not wait for what only reads.
"""
