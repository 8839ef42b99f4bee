"""Python programs that start at once: hundreds of tests start one, and most of that time is spent on the same imports.

``client.Forked`` is used as ``subprocess.Popen``. The program is a process of its own, forked from one (``server``) that has
imported what programs need: it has its own environment, streams, session and exit status, and can be killed.
"""
