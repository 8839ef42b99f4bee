"""The packages that are compared, each in its own module, imported only in the processes that measure it.

A module that logs has ``with_logger(folder, work)``: it calls ``work(line)``, where ``line(address, count)`` writes one line
with two extras. A module that runs tasks has ``make_side(folder, kind)``; see ``sides.side``.
"""
