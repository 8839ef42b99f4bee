"""Functions are checked once, at decoration, with errors that name the thing, the value and the remedy."""

from __future__ import annotations

import functools
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest

from otel_taskflow.errors import ConfigurationError, TaskNotRegisteredError
from otel_taskflow.model import TaskConfig
from otel_taskflow.registry import Identity, Registry, define


def plain(x: int) -> None: ...


async def coroutine(x: int) -> None: ...


class Mailer:
    """Stands for a client object."""

    def send(self, address: str) -> None: ...

    async def __call__(self, address: str) -> None: ...


def generator() -> Iterator[int]:
    yield 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("func", "name", "is_async"),
    [
        (plain, "plain", False),
        (coroutine, "coroutine", True),
        (functools.partial(plain, 1), "plain", False),
        (functools.partial(functools.partial(coroutine), 1), "coroutine", True),
        (Mailer().send, "send", False),
        (Mailer(), "Mailer", True),
        (print, "print", False),
        (AsyncMock(), "AsyncMock", True),
        (functools.partial(AsyncMock(), 1), "AsyncMock", True),
        (MagicMock(), "MagicMock", False),
    ],
)
def test_functions_partials_methods_and_callable_objects_are_tasks(
    func: Callable[..., Any], name: str, is_async: bool
) -> None:
    definition = define(func, TaskConfig())
    assert (definition.name, definition.is_async) == (name, is_async)


@pytest.mark.parametrize("func", [generator, async_generator, functools.partial(generator)])
def test_a_generator_function_is_refused_with_the_remedy(func: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match="consume it inside a plain function"):
        define(func, TaskConfig())


@pytest.mark.parametrize("func", [Mailer, 3, "send"])
def test_what_is_not_a_function_is_refused(func: Any) -> None:
    with pytest.raises(ConfigurationError, match="decorate a function"):
        define(func, TaskConfig())


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"retries": -1}, "retries=-1"),
        ({"retries": True}, "retries=True"),
        ({"retries": 1.5}, "retries=1.5"),
        ({"delay": -0.1}, "delay=-0.1"),
        ({"delay": float("nan")}, "delay=nan"),
        ({"delay": "1"}, "delay='1'"),
        ({"backoff": float("inf")}, "backoff=inf"),
        ({"jitter": 1.5}, "jitter=1.5"),
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": 1e300}, "timeout=1e.300 must be at most 3153600000 seconds"),
        ({"delay": 10**400}, "delay=<an int of 1329 bits> must be at most 3153600000 seconds"),
        ({"max_delay": -(10**400)}, "max_delay=<an int of 1329 bits>"),
        ({"backoff": 10**400}, "backoff=<an int of 1329 bits>"),
        ({"jitter": 10**400}, "jitter=<an int of 1329 bits> must be at most 1"),
        ({"retries": 10**30}, "retries=1000000000000000000000000000000 must be at most 1000000000"),
        ({"expires": 10**5000}, "expires=<an int of 16610 bits>"),
        ({"expires": 0}, "expires=0 must be seconds"),
        ({"expires": -1.0}, "expires=-1.0 must be seconds"),
        ({"expires": "60"}, "expires='60' must be seconds"),
        ({"expires": True}, "expires=True must be seconds"),
        ({"expires": float("nan")}, "expires=nan must be seconds"),
        ({"expires": float("inf")}, "leave it out for a task that may start at any time"),
        ({"expires": 1e12}, "100 years"),
        ({"max_delay": -1.0}, "max_delay=-1.0"),
        ({"name": " "}, "name=' '"),
        ({"eager": 1}, "eager=1"),
        ({"retry_on": (1,)}, "retry_on="),
    ],
)
def test_a_bad_setting_is_named_with_its_value(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named.replace("(", r"\(")):
        define(plain, TaskConfig(**settings))


def test_the_executor_must_fit_the_function() -> None:
    with pytest.raises(ConfigurationError, match="plain is a plain one"):
        define(plain, TaskConfig(executor="async"))
    with pytest.raises(ConfigurationError, match="coroutine is a coroutine function"):
        define(coroutine, TaskConfig(executor="thread"))
    with pytest.raises(ConfigurationError, match="executor='process' needs a plain function"):
        define(coroutine, TaskConfig(executor="process"))
    with pytest.raises(ConfigurationError, match="executor='fiber' is unknown"):
        define(plain, TaskConfig(executor="fiber"))
    assert define(plain, TaskConfig(executor="process")).executor == "process"


def test_two_functions_of_one_name_are_refused() -> None:
    registry = Registry()
    registry.register(plain, TaskConfig(name="mail"))
    with pytest.raises(ConfigurationError, match=r"name 'mail' is taken by .*plain"):
        registry.register(coroutine, TaskConfig(name="mail"))


def test_the_same_function_may_be_registered_again() -> None:
    registry = Registry()
    registry.register(plain, TaskConfig())
    assert registry.register(plain, TaskConfig(retries=2)).config.retries == 2


def test_a_function_that_was_never_decorated_has_default_settings_and_is_found_by_its_place() -> None:
    registry = Registry()
    definition = registry.for_function(plain)
    assert (definition.name, definition.config) == ("plain", TaskConfig())
    assert registry.find(Identity("plain", f"{__name__}.plain")).func is plain
    assert Identity("plain") not in registry


def test_a_registered_name_means_the_function_that_was_registered_with_it() -> None:
    registry = Registry()
    registry.for_function(plain)
    registry.register(coroutine, TaskConfig(name="plain"))
    assert registry.find(Identity("plain")).func is coroutine
    assert registry.find(Identity("plain", f"{__name__}.plain")).func is plain


def test_tasks_of_an_undecorated_function_are_found_when_it_was_decorated_since() -> None:
    registry = Registry()
    registry.register(plain, TaskConfig(name="other", retries=2))
    assert registry.find(Identity("plain", f"{__name__}.plain")).config.retries == 2


def closure() -> Callable[[], None]:
    def plain() -> None: ...

    return plain


@pytest.mark.parametrize("func", [closure(), lambda: None, functools.partial(plain, 1), Mailer().send, Mailer()])
def test_what_no_process_finds_by_its_place_is_not_recoverable(func: Callable[..., Any]) -> None:
    registry = Registry()
    definition = registry.for_function(func)
    assert not definition.is_recoverable
    assert Identity(definition.name, definition.function) not in registry
    assert Identity(definition.name) not in registry


def test_a_wrapper_with_the_place_of_another_function_is_not_taken_for_it() -> None:
    @functools.wraps(plain)
    def wrapper(x: int) -> None: ...

    registry = Registry()
    assert not registry.for_function(wrapper).is_recoverable
    assert registry.for_function(plain).is_recoverable


def test_the_settings_of_a_decorated_function_hold_for_its_methods_and_partials() -> None:
    registry = Registry()

    class Account:
        def send(self, address: str) -> None: ...

    registry.register(Account.send, TaskConfig(name="mail", retries=3))
    for func in (Account().send, functools.partial(Account.send, Account()), functools.partial(Account().send, "ada")):
        definition = registry.for_function(func)
        assert (definition.name, definition.config.retries, definition.func) == ("mail", 3, func)
        assert not definition.is_recoverable


def test_registered_methods_of_two_objects_are_two_functions() -> None:
    registry = Registry()
    one, other = Mailer(), Mailer()
    registry.register(one.send, TaskConfig())
    registry.register(one.send, TaskConfig(retries=1))
    with pytest.raises(ConfigurationError, match="name 'send' is taken"):
        registry.register(other.send, TaskConfig())


def test_an_unknown_name_says_what_to_do() -> None:
    with pytest.raises(TaskNotRegisteredError, match=r"no task named 'nowhere' is registered.*import the module"):
        Registry().find(Identity("nowhere"))
    with pytest.raises(TaskNotRegisteredError, match=r"the function app\.send was not added.*import the module"):
        Registry().find(Identity("send", "app.send"))


@dataclass
class Mail:
    to: str

    def __call__(self) -> None: ...


def test_a_callable_that_is_not_hashable_is_a_task_of_this_process_only() -> None:
    registry = Registry()
    mail = Mail("ada")
    definition = registry.for_function(mail)
    assert (definition.name, definition.func, definition.config) == ("Mail", mail, TaskConfig())
    assert not definition.is_recoverable
    with pytest.raises(ConfigurationError, match=r"Mail\(to='ada'\) cannot be registered: it is not hashable"):
        registry.register(mail, TaskConfig())


def run_as(name: str, file: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that Python makes of a file, run as a program or imported."""
    module = ModuleType(name)
    module.__file__ = str(file)
    module.__dict__["registry"] = registry
    monkeypatch.setitem(sys.modules, name, module)
    exec(compile(file.read_text(), str(file), "exec"), module.__dict__)
    return module


DECORATED = """
import functools
from otel_taskflow.model import TaskConfig

def task(func):
    registry.register(func, TaskConfig(retries=3))
    return func

def logged(func):
    @functools.wraps(func)
    def wrapper():
        func()
    return wrapper

@task
def send(): ...

@task
@logged
def pack(): ...

class Account:
    @task
    def close(self): ...
"""
UNDECORATED = "def send(): ...\ndef pack(): ...\nclass Account:\n    def close(self): ...\n"
PLACES = ["shop.send", "shop.pack", "shop.Account.close"]


def function_at(module: ModuleType, place: str) -> Callable[..., Any]:
    found: Any = module
    for name in place.split(".")[1:]:
        found = getattr(found, name)
    return found  # type: ignore[no-any-return]


@pytest.mark.parametrize("place", PLACES)
def test_tasks_of_an_undecorated_function_are_found_by_the_decorator_that_the_next_version_puts_on_it(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shop.py"
    file.write_text(UNDECORATED)
    before = Registry()
    added = before.for_function(function_at(run_as("shop", file, before, monkeypatch), place))
    file.write_text(DECORATED)
    registry = Registry()
    shop = run_as("shop", file, registry, monkeypatch)
    definition = registry.find(Identity(added.name, added.function))
    assert definition.func is function_at(shop, place)
    assert definition.config.retries == 3


def test_a_function_that_its_module_does_not_have_under_its_name_is_not_found_by_place() -> None:
    registry = Registry()

    @functools.wraps(plain)
    def other(x: int) -> None: ...

    registry.register(other, TaskConfig(name="other"))
    registry.register(Mailer().send, TaskConfig(name="mail"))
    for place in ("plain", "Mailer.send"):
        assert Identity(place, f"{__name__}.{place}") not in registry
    registry.for_function(plain)
    assert registry.find(Identity("plain", f"{__name__}.plain")).func is plain


@functools.lru_cache
def cached() -> None: ...


@functools.lru_cache
def cached_too() -> None: ...


def test_functions_behind_one_kind_of_wrapper_object_are_found_each_by_its_own_place() -> None:
    registry = Registry()
    added = [registry.for_function(func) for func in (cached, cached_too)]
    found = [registry.find(Identity(each.name, each.function)).func for each in added]
    assert found == [cached, cached_too]


@pytest.mark.parametrize("program", ["__main__", "__mp_main__"])
def test_a_program_that_is_imported_too_has_its_tasks_once_and_the_later_ones_count(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shop.py"
    file.write_text(DECORATED)
    registry = Registry()
    ran = run_as(program, file, registry, monkeypatch)
    shop = run_as("shop", file, registry, monkeypatch)
    assert [each.func for each in registry] == [shop.send, shop.pack, shop.Account.close]
    assert registry.for_function(ran.send).name == registry.for_function(shop.send).name == "send"


def test_a_program_and_a_module_of_another_file_do_not_share_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry()
    files = [tmp_path / "run.py", tmp_path / "shop.py"]
    for file in files:
        file.write_text(DECORATED)
    run_as("__main__", files[0], registry, monkeypatch)
    with pytest.raises(ConfigurationError, match=r"name 'send' is taken by __main__\.send"):
        run_as("shop", files[1], registry, monkeypatch)


def test_functions_of_one_decorator_in_two_files_do_not_share_a_name() -> None:
    def logged(func: Callable[..., None], module: str) -> Callable[..., None]:
        @functools.wraps(func)
        def wrapper() -> None: ...

        wrapper.__module__, wrapper.__qualname__, wrapper.__name__ = module, "send", "send"
        return wrapper

    registry = Registry()
    registry.register(logged(plain, "__main__"), TaskConfig())
    with pytest.raises(ConfigurationError, match=r"name 'send' is taken by __main__\.send"):
        registry.register(logged(coroutine, "shop"), TaskConfig())


@pytest.mark.parametrize("is_run_by_name", [False, True], ids=["python shop.py", "python -m shop"])
def test_tasks_that_a_program_added_are_found_where_it_is_a_module(
    is_run_by_name: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ("other.py" if is_run_by_name else "shop.py")
    file.write_text(UNDECORATED)
    before, after = Registry(), Registry()
    program = run_as("__main__", file, before, monkeypatch)
    program.__spec__ = ModuleSpec("shop", None) if is_run_by_name else None
    added = before.for_function(program.send)
    shop = run_as("shop", file, after, monkeypatch)
    after.for_function(shop.send)
    assert added.function == "shop.send"
    assert after.find(Identity(added.name, added.function)).func is shop.send
    assert before.find(Identity(added.name, added.function)).func is program.send
