"""An app that uses FastAPI's own BackgroundTasks. Its routes stay as they are; its tasks are kept and shown all the same.

Run:  cd examples && uvicorn plain_background_tasks:app
Try:  curl -X POST 'http://127.0.0.1:8000/signup?email=ada@example.com'
"""

import logging

from fastapi import BackgroundTasks, FastAPI

from otel_taskflow import TaskAdmin, TaskManager

logger = logging.getLogger(__name__)


def write_welcome(email: str) -> None:
    logger.info("Welcome, %s", email)


app = FastAPI()


@app.post("/signup")
def signup(email: str, background_tasks: BackgroundTasks):
    background_tasks.add_task(write_welcome, email)
    return {"status": "accepted"}


# The only lines that are new. capture_logging puts what the tasks log into their record.
task_manager = TaskManager(capture_logging="INFO")
TaskAdmin(app, task_manager, auto_install=True)
