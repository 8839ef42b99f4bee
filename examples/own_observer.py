"""An observer of your own: told of each line and of each task that starts or ends.

Run:  python examples/own_observer.py
"""

from otel_taskflow import LifecycleEvent, LogEvent, TaskManager, TaskObserver, TaskStatus, task_log


class Alerts(TaskObserver):
    """Collects what somebody should look at. Methods may be async, too."""

    name = "alerts"
    min_level = "warning"

    def startup(self) -> None:
        self.alerts: list[str] = []

    def on_log(self, event: LogEvent) -> None:
        self.alerts.append(f"{event.func_name}: {event.message} {dict(event.extra)}")

    def on_lifecycle(self, event: LifecycleEvent) -> None:
        if event.status is TaskStatus.FAILED:
            self.alerts.append(f"{event.func_name} failed after {event.retries_used} retries: {event.error}")


alerts = Alerts()
task_manager = TaskManager(observers=[alerts])


@task_manager.task(retries=1, delay=0.05)
def sync_stock(warehouse: str) -> None:
    task_log("Asking", warehouse=warehouse)
    task_log("No answer", level="warning", warehouse=warehouse)
    raise ConnectionError("the warehouse is closed")


def main() -> None:
    task_manager.add_task(sync_stock, "north")
    task_manager.drain()  # until all tasks have ended and the observers have heard of it
    for alert in alerts.alerts:
        print(alert)
    task_manager.close()


if __name__ == "__main__":
    main()
