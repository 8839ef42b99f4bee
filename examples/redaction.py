"""Secrets are masked before anything is kept; rules of your own and personal data come on top.

Run:  python examples/redaction.py
"""

from otel_taskflow import InMemoryLogger, TaskManager, task_log

memory = InMemoryLogger()
task_manager = TaskManager(
    redact={
        "keys": ["iban"],  # words of keys whose values are secret
        "patterns": {"order_code": r"\bORD-[0-9]{8}\b"},  # forms of secrets, by the name of the mark
        "presets": ["email"],  # personal data
    },
    observers=[memory],
)


@task_manager.task
def refund(order: str, address: str) -> None:
    task_log("Connecting to postgres://shop:hunter2@db/shop", password="hunter2", prompt_tokens=532)
    task_log(f"Refunding {order} of {address}", iban="DE02120300000000202051")


def main() -> None:
    task_manager.add_task(refund, "ORD-12345678", "ada@example.com")
    task_manager.drain()
    for event in memory.log_events:
        print(event.message, dict(event.extra))
    task_manager.close()


if __name__ == "__main__":
    main()
