"""The app under test."""

from fastapi import Depends, FastAPI

from otel_taskflow import TaskAdmin, TaskManager, get_task_context, task_log

task_manager = TaskManager()
app = FastAPI()
TaskAdmin(app, task_manager)


@task_manager.task(retries=3, delay=60.0)
def send_email(address: str) -> None:
    context = get_task_context()  # None outside a task
    if context is not None and context.attempt == 0:
        raise ConnectionError("the mail server did not answer")
    task_log("Sent", address=address)


@app.post("/signup")
def signup(email: str, tasks=Depends(task_manager.get_tasks)):
    return {"task_id": tasks.add_task(send_email, email)}
