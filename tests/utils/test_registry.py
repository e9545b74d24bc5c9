"""tfcoded.utils.registry: names, what is refused."""

import pytest

from tfcoded.utils.errors import UserError
from tfcoded.utils.registry import Registry


class First:
    """A thing."""


class Second:
    """Another one."""


@pytest.fixture(name="things")
def _things():
    things = Registry("thing")
    things.register("first", First)
    things.register("second", Second)
    return things


def test_things_are_found_in_the_order_in_which_they_were_registered(things):
    assert list(things) == ["first", "second"] and len(things) == 2
    assert things["first"] is things.find("first") is First
    assert "third" not in things and things.get("third") is None


def test_the_nearest_name_is_suggested(things):
    with pytest.raises(UserError, match="unknown thing 'frist'; did you mean 'first'?"):
        things.find("frist")
    with pytest.raises(UserError, match="unknown thing 'zzz'; expected one of 'first', 'second'"):
        things.find("zzz")


def test_a_name_has_one_owner(things):
    assert things.register("first", First) is First
    again = type("First", (), {"__module__": First.__module__, "__qualname__": First.__qualname__})
    things.register("first", again)  # the module was imported again
    assert things["first"] is again
    with pytest.raises(ValueError, match=r"another thing 'first', .*First; give yours a name of its own"):
        things.register("first", Second)
    assert things["first"] is again
