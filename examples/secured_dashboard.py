"""A dashboard for two people with passwords, under names of the company only, beside an app that is open.

Run:  cd examples && OPS_PASSWORD=... uvicorn secured_dashboard:app
Try:  curl http://127.0.0.1:8000/admin/tasks                               refused
      curl -u ops:... http://127.0.0.1:8000/admin/tasks                    the tasks, as JSON
Then open http://127.0.0.1:8000/admin/tasks/dashboard: the browser asks for name and password.
"""

import os
import secrets

from fastapi import Depends, FastAPI

from otel_taskflow import TaskAdmin, TaskManager, task_log

OPS_PASSWORD = os.environ.get("OPS_PASSWORD") or secrets.token_urlsafe(16)  # none given: nobody knows it

task_manager = TaskManager()
app = FastAPI()
TaskAdmin(
    app,
    task_manager,
    path="/admin/tasks",
    auth=[("ops", OPS_PASSWORD), ("ada", "analytical engine")],
    allowed_hosts=["127.0.0.1", "localhost", "*.internal.example.com"],
    display_func_args=True,  # shown to them, with secrets masked
)


@task_manager.task
def create_account(email: str, password: str) -> None:
    task_log("Created", email=email)


@app.post("/accounts")
def accounts(email: str, tasks=Depends(task_manager.get_tasks)):
    return {"task_id": tasks.add_task(create_account, email, password=secrets.token_urlsafe(16))}
