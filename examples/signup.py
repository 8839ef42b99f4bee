"""Sign-up e-mails in the background: the five minutes of the README.

Run:  cd examples && uvicorn signup:app
Try:  curl -X POST 'http://127.0.0.1:8000/signup?email=ada@example.com'
Then open the link that was printed at the start.
"""

from fastapi import Depends, FastAPI

from otel_taskflow import TaskAdmin, TaskManager, get_task_context, task_log

task_manager = TaskManager()
app = FastAPI()
TaskAdmin(app, task_manager)  # the dashboard and its API, at /tasks


class MailError(Exception):
    """The mail server did not answer."""


@task_manager.task(retries=3, delay=0.5, backoff=2.0)
def send_email(address: str) -> None:
    task_log("Connecting to the mail server", address=address)
    if get_task_context().attempt == 0:  # the first attempt fails, so that there is something to see
        task_log("No answer within 0.3 s", level="warning", host="mail.example.com")
        raise MailError("the mail server did not answer")
    task_log("Sent", address=address, template="welcome")


@app.post("/signup")
def signup(email: str, tasks=Depends(task_manager.get_tasks)):
    return {"task_id": tasks.add_task(send_email, email, tags={"customer": email})}
