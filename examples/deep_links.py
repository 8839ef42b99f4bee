"""From a task to its trace and its lines, in the back ends that have them.

Needs fastapi.testclient's HTTP client: pip install httpx2 (httpx with older releases of Starlette).
Run:  python examples/deep_links.py                 prints where the links of one order lead
      cd examples && GRAFANA_URL=http://127.0.0.1:3000 uvicorn deep_links:app
Try:  curl -X POST http://127.0.0.1:8000/orders/A1
Then open the link that was printed at the start, and the task: *Elsewhere*.
"""

import os

from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from otel_taskflow import TaskAdmin, TaskManager, links, task_log

GRAFANA = os.environ.get("GRAFANA_URL", "http://127.0.0.1:3000")

task_manager = TaskManager()
app = FastAPI()
TaskAdmin(
    app,
    task_manager,
    links={
        **links.grafana(
            GRAFANA, service="shop"
        ),  # the span in Tempo; the lines of a task, of an attempt, one line in Loki
        **links.jaeger("http://127.0.0.1:16686"),
        "Runbook": "https://wiki.example.com/tasks?name={task_name}",  # where it is shown follows from its placeholders
        "Around this line": "https://logs.example.com/?from={from}&to={to}&line={line_uid}",
    },
)


@task_manager.task
def fulfill_order(order_id: str) -> None:
    task_log("Order received", order_id=order_id)


@app.post("/orders/{order_id}")
def order(order_id: str, tasks=Depends(task_manager.get_tasks)):
    return {"task_id": tasks.add_task(fulfill_order, order_id)}


def main() -> None:
    with TestClient(app) as client:
        client.headers["authorization"] = f"Bearer {task_manager.access_token()}"
        task_id = client.post("/orders/A1").json()["task_id"]
        assert task_manager.drain()
        task = client.get(f"/tasks/{task_id}").json()
        [line] = client.get(f"/tasks/{task_id}/logs?links=true").json()["entries"]
    for place, found in [("task", task), ("attempt 1", task["attempts"][0]), ("line 1", line)]:
        for name, url in found["links"].items():
            print(f"{place}: {name}: {url}")


if __name__ == "__main__":
    main()
