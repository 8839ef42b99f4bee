"""FastAPI's side: the dependency, the request's task list, and plain ``BackgroundTasks`` routes that become managed.

Whoever uses one of its modules imports that one: a script without FastAPI does not wait for it.
"""
