"""Two managers in one app, with settings and dashboards of their own.

They may share a folder: their names keep them apart, and each takes up only its own tasks after a restart.

Run:  cd examples && uvicorn several_managers:app
Try:  curl -X POST http://127.0.0.1:8000/mail && curl -X POST http://127.0.0.1:8000/reports
Then open /mail-tasks/dashboard and /report-tasks/dashboard with the token that was printed at the start.
"""

from fastapi import Depends, FastAPI

from otel_taskflow import TaskAdmin, TaskManager, task_log

mail = TaskManager(name="mail", store=".otel_taskflow/mail.db")
reports = TaskManager(name="reports", store=".otel_taskflow/reports.db", max_sync_threads=2, retention_days=90)

app = FastAPI()
TaskAdmin(app, mail, path="/mail-tasks", title="Mail")
TaskAdmin(app, reports, path="/report-tasks", title="Reports")


@mail.task(retries=5, delay=1.0)
def send() -> None:
    task_log("Sent")


@reports.task
def build() -> None:
    task_log("Built", pages=12)


@app.post("/mail")
def post_mail(tasks=Depends(mail.get_tasks)):
    return {"task_id": tasks.add_task(send)}


@app.post("/reports")
def post_report(tasks=Depends(reports.get_tasks)):
    return {"task_id": tasks.add_task(build)}
